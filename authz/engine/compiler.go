package engine

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/find"
	"github.com/agentauth-dev/agentauth/authz/objects"
	"github.com/agentauth-dev/agentauth/authz/policy"
	"github.com/agentauth-dev/agentauth/authz/reviews"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

// compiler is one run of Compile.
type compiler struct {
	engine  *Engine
	objects *objects.View
	prev    *Snapshot
	// behind is since when the oldest change waits to be compiled; zero: none does.
	behind time.Time
}

// compiled is one policy as it was compiled. It never changes.
type compiled struct {
	find.Policy
	// pending policies are invalid until they are compiled.
	pending bool
	origin  origin
}

// building is a policy while it is compiled.
type building struct {
	*compiler
	*compiled
	spec    *v1alpha1.PolicySpec   // with its defaults; a compiled policy holds none of it
	version *authz.PolicyVersion   // that of its source
	told    map[authz.Problem]bool // the problems of parts of objects
	names   policy.Names           // of an invalid policy
}

// policies are the policies of a pass, each taken over from before or compiled.
func (c *compiler) policies(sources []*v1alpha1.AgentAuthPolicy, compile compilePolicies) []*compiled {
	out := make([]*compiled, len(sources))
	var changed []*v1alpha1.AgentAuthPolicy
	var at []int
	for i, source := range sources {
		if p := c.prev.of(i, source); p != nil && c.unchanged(p, source) {
			out[i] = p
		} else {
			changed, at = append(changed, source), append(at, i)
		}
	}
	for n, p := range compile(c, changed) {
		out[at[n]] = p
	}
	return out
}

func (c *compiler) compile(source *v1alpha1.AgentAuthPolicy) *compiled {
	b, full := c.begin(source)
	// The rest of a policy that breaks a rule of the API is not looked at: it
	// may rely on every one of them.
	for _, p := range validate.Policy(full) {
		b.Invalid = b.Invalid || p.Severity.Fatal()
		b.problem(p)
	}
	b.routes(b.spec.Routes)
	if !b.Invalid {
		validate.DefaultAudiences(b.spec)
		b.stages(b.spec)
	}
	if b.Invalid {
		b.Stages = policy.Invalid(b.Name.String(), b.version, b.names)
	}
	return b.compiled
}

// claim stands for a policy that cannot be in force: it is invalid, and keeps
// its routes.
func (c *compiler) claim(source *v1alpha1.AgentAuthPolicy, why string) *compiled {
	return c.instead(source, why, (*building).routes)
}

// claimHosts is claim without a look at matches: it keeps whole hostnames.
func (c *compiler) claimHosts(source *v1alpha1.AgentAuthPolicy, why string) *compiled {
	return c.instead(source, why, (*building).wholeHosts)
}

func (c *compiler) instead(source *v1alpha1.AgentAuthPolicy, why string, keep func(*building, []v1alpha1.Route)) *compiled {
	b, _ := c.begin(source)
	b.reject("spec", why)
	keep(&b, b.spec.Routes)
	b.Stages = policy.Invalid(b.Name.String(), b.version, b.names)
	return b.compiled
}

func (c *compiler) begin(source *v1alpha1.AgentAuthPolicy) (b building, full *v1alpha1.AgentAuthPolicy) {
	full = validate.Default(source)
	b = building{compiler: c, compiled: &compiled{}, spec: &full.Spec, version: policy.VersionOf(source)}
	b.Name, b.TargetRefs, b.Precedence = nameOf(source), full.Spec.TargetRefs, full.Spec.Precedence
	b.Resource = policy.NewResource(b.Name.String(), b.version, b.spec)
	b.Shadow = full.Spec.Mode == v1alpha1.ModeShadow
	b.Paths = validate.PathForms(full.Spec.Paths)
	b.origin = origin{source: source}
	for _, r := range full.Spec.Routes {
		b.Hostnames = slices.Grow(b.Hostnames, len(r.Hostnames))
		for _, h := range r.Hostnames {
			b.Hostnames = append(b.Hostnames, string(h))
		}
	}
	return b, full
}

// stages compiles what decides.
func (b *building) stages(spec *v1alpha1.PolicySpec) {
	c := policy.Config{Name: b.Name.String(), Version: b.version, Owner: b.owner(), Methods: b.methods(spec.Authentication), Rules: b.rules(spec.Authorization), Revoked: &b.engine.revoked}
	b.Resource = b.Resource.GuardedBy(c.Methods)
	c.Resource = b.Resource
	c.DenyOtherwise = spec.Authorization != nil && spec.Authorization.Otherwise != v1alpha1.OtherwiseAllow
	c.MCP = policy.MCPOf(spec.MCP, func(e v1alpha1.Expression, at *field.Path) *expr.Program { return b.expression(expr.Bool, e, at) })
	if a := spec.Authorization; a != nil && a.Kubernetes != nil {
		c.Access = b.access(a.Kubernetes, field.NewPath("spec", "authorization", "kubernetes"))
	}
	b.response(&c, spec.Response)
	if b.Invalid {
		b.names = policy.NamesOf(c.Sets())
		return
	}
	b.Stages = policy.New(c)
}

func (b *building) reject(path, message string) {
	b.Invalid = true
	b.problem(authz.Problem{Severity: authz.Invalid, Field: path, Message: message})
}

func (b *building) problem(p authz.Problem) {
	if b.origin.problems == nil {
		b.origin.problems = &authz.Problems{Most: authz.MaxPolicyProblems}
	}
	b.origin.problems.Add(p)
}

// parts adds the problems of parts of an object, once however many methods refer
// to it. of says which object, where the problems do not.
func (b *building) parts(list []authz.Problem, of authz.Problem, at *field.Path) {
	for _, p := range list {
		p.Ref, p.Key = cmp.Or(p.Ref, of.Ref), cmp.Or(p.Key, of.Key)
		if b.told[p] {
			continue
		}
		if b.told == nil {
			b.told = map[authz.Problem]bool{}
		}
		b.told[p] = true
		p.Field = at.String()
		b.problem(p)
	}
}

func (b *building) rules(a *v1alpha1.Authorization) (out []policy.Rule) {
	if a == nil {
		return nil
	}
	rules := field.NewPath("spec", "authorization", "rules")
	for i, r := range a.Rules {
		rule := policy.Rule{Name: r.Name, Require: b.expression(expr.Bool, r.Require, rules.Index(i).Child("require"))}
		if r.When != "" {
			rule.When = b.expression(expr.Bool, r.When, rules.Index(i).Child("when"))
		}
		out = append(out, rule)
	}
	if !b.Invalid {
		for _, p := range validate.OpenMethods(b.spec, whens(out)) {
			b.problem(p)
		}
	}
	return out
}

func (b *building) access(src *v1alpha1.KubernetesAccess, at *field.Path) *policy.Access {
	out := policy.NewAccess(src, b.Name.Namespace)
	if src.Resource.NameFrom != "" {
		out.Name = b.expression(expr.String, src.Resource.NameFrom, at.Child("resource", "nameFrom"))
	}
	out.Reviewer, _, out.Missing = b.reviewer(reviews.SubjectAccessReview, "authorization.kubernetes", nil, at)
	return out
}

func whens(rules []policy.Rule) (out []*expr.Program) {
	for _, r := range rules {
		out = append(out, r.When)
	}
	return out
}

func (b *building) response(c *policy.Config, r *v1alpha1.Response) {
	if r == nil {
		return
	}
	path := field.NewPath("spec", "response")
	c.Unauthenticated, c.Unauthorized = r.Unauthenticated, r.Unauthorized
	if u := r.Upstream; u != nil {
		c.Forward, c.Token = u.Credentials == v1alpha1.Forward, b.token(u.Token, path.Child("upstream", "token"))
		for i, h := range u.Headers {
			c.Headers = append(c.Headers, policy.Value{Name: strings.ToLower(h.Name),
				Program: b.expression(expr.String, h.Value, path.Child("upstream", "headers").Index(i).Child("value"))})
		}
	}
	for _, name := range sortedKeys(r.Metadata) {
		c.Metadata = append(c.Metadata, policy.Value{Name: name,
			Program: b.expression(expr.JSON, r.Metadata[name], path.Child("metadata").Key(name))})
	}
}

func (b *building) expression(kind expr.Kind, src v1alpha1.Expression, path *field.Path) *expr.Program {
	program, err := b.engine.exprs.Compile(kind, string(src))
	if err != nil {
		b.reject(path.String(), err.Error())
	} else if program.ReadsMCP() && b.spec.MCP == nil {
		b.reject(path.String(), "reads mcp, which only a policy with spec.mcp has: the routes of this one are no MCP server")
	}
	for _, p := range validate.Expression(b.spec, path, program) {
		b.problem(p)
	}
	return program
}
