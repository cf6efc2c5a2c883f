package engine

import (
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

// compiler is one run of Compile.
type compiler struct {
	engine  *Engine
	objects *objects
	prev    *memo
	next    memo
}

// building is a policy while it is compiled.
type building struct {
	*compiler
	*policy
}

// policy compiles one policy, or takes over what it compiled to before.
func (c *compiler) policy(source *v1alpha1.AgentAuthPolicy) *policy {
	name := types.NamespacedName{Namespace: namespaceOf(source), Name: source.Name}
	p := c.prev.policies[name]
	if p == nil || !c.unchanged(p, source) {
		p = c.compile(name, source)
	}
	c.next.policies[name] = p
	return p
}

func (c *compiler) compile(name types.NamespacedName, source *v1alpha1.AgentAuthPolicy) *policy {
	full := validate.Default(source)
	b := building{compiler: c, policy: &policy{name: name.String(), namespace: name.Namespace}}
	b.origin = origin{name: name, source: source, spec: &full.Spec, generation: source.Generation, pooled: map[poolKey]*pooled{}}
	for _, r := range full.Spec.Routes {
		for _, h := range r.Hostnames {
			b.hostnames = append(b.hostnames, string(h))
		}
	}
	// The rest of a policy that breaks a rule of the API is not looked at: it
	// may rely on every one of them.
	for _, p := range validate.Policy(full) {
		b.invalid = b.invalid || p.Severity.Fatal()
		b.problem(p)
	}
	b.routes(full.Spec.Routes)
	if !b.invalid {
		b.authentication(full.Spec.Authentication)
		b.authorization(full.Spec.Authorization)
		b.response(full.Spec.Response)
	}
	return b.policy
}

func (b *building) reject(path, message string) {
	b.invalid = true
	b.problem(authz.Problem{Severity: authz.Invalid, Field: path, Message: message})
}

func (b *building) problem(p authz.Problem) { b.origin.problems = append(b.origin.problems, p) }

func (b *building) authorization(a *v1alpha1.Authorization) {
	if a == nil {
		return
	}
	rules := field.NewPath("spec", "authorization", "rules")
	for i, r := range a.Rules {
		out := rule{name: r.Name, require: b.expression(expr.Bool, r.Require, rules.Index(i).Child("require"))}
		if r.When != "" {
			out.when = b.expression(expr.Bool, r.When, rules.Index(i).Child("when"))
		}
		b.rules = append(b.rules, out)
	}
}

func (b *building) response(r *v1alpha1.Response) {
	if r == nil {
		return
	}
	path := field.NewPath("spec", "response")
	b.unauthenticated, b.unauthorized = r.Unauthenticated, r.Unauthorized
	if u := r.Upstream; u != nil {
		b.forward = u.Credentials == v1alpha1.Forward
		b.names = make(map[string]string, len(u.Headers))
		for i, h := range u.Headers {
			name := strings.ToLower(h.Name)
			b.names[authz.Alias(name)] = name
			b.headers = append(b.headers, value{name,
				b.expression(expr.String, h.Value, path.Child("upstream", "headers").Index(i).Child("value"))})
		}
	}
	for _, name := range sortedKeys(r.Metadata) {
		b.metadata = append(b.metadata, value{name, b.expression(expr.String, r.Metadata[name], path.Child("metadata").Key(name))})
	}
}

func (b *building) expression(kind expr.Kind, src v1alpha1.Expression, path *field.Path) *expr.Program {
	program, err := b.engine.exprs.Compile(kind, string(src))
	if err != nil {
		b.reject(path.String(), err.Error())
	}
	return program
}

// used collects the pooled things of all policies.
func (c *compiler) used() map[poolKey]*pooled {
	out := map[poolKey]*pooled{}
	for _, p := range c.next.policies {
		maps.Copy(out, p.origin.pooled)
	}
	return out
}
