// Package policy decides by one compiled policy.
//
// A [Policy] is a list of stages, each in a file of its own. Start with
// [Policy.Decide], and read the stages in the order in which [New] lists them:
//
//	(guard ->) authenticate -> authorize (scopes, rules, the cluster) -> respond (strip, headers, metadata, token)
//
// A policy of a server of MCP reads the call before scopes, and asks what entries
// require before rules.
//
// A stage looks at a request and at what the stages before it found out. It
// ends the decision, or leaves it to the next stage. No other package decides:
// answer.go has the decisions for requests without a policy.
package policy

import (
	"context"
	"strings"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/revoke"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// Config is what a policy is made of, every reference resolved.
type Config struct {
	// Name is namespace/name. Version is that which each decision says.
	Name    string
	Version *authz.PolicyVersion
	// Owner is whose turn heavy expressions wait for.
	Owner   work.Owner
	Methods []Method
	Rules   []Rule
	// Revoked are the revocations in force, whenever they change; nil: there are none.
	Revoked *revoke.InForce
	// MCP says that the routes are an MCP server; nil: they are none.
	MCP *MCP
	// DenyOtherwise refuses a request for which none of the Rules applies.
	DenyOtherwise bool
	// Access asks the cluster too; nil: nobody is asked.
	Access *Access
	// Forward leaves a credential that succeeded in the request.
	Forward bool
	// Headers and Metadata are for the upstream and the proxy. Names of headers
	// are in lower case.
	Headers, Metadata []Value
	// Token is what the upstream gets in place of credentials; nil: nothing.
	Token *Token
	// Unauthenticated and Unauthorized replace parts of the answers 401 and 403.
	Unauthenticated, Unauthorized *v1alpha1.Denial
	// Resource is the protected resource that the policy guards; nil: it says of
	// none.
	Resource *Resource
}

// Method is one way to authenticate.
type Method struct {
	Name string
	// Scopes are required of the identity that the method establishes.
	Scopes []string
	// Authenticator checks the credentials.
	Authenticator authn.Authenticator
	Required      bool
	// Cluster says that the identities are accounts of the cluster.
	Cluster bool
}

// Rule is an authorization rule; a nil When always applies.
type Rule struct {
	Name          string
	When, Require *expr.Program
}

// Value is a name and the expression of its value: a text for a header, JSON for
// metadata.
type Value struct {
	Name    string
	Program *expr.Program
}

// Policy is a compiled policy. It never changes. The zero Policy refuses every
// request.
type Policy struct {
	name    string
	version *authz.PolicyVersion
	stages  []stage
	outline *outline
	// respond is the last stage; nil if the policy is invalid. Its metadata is handed to
	// the proxy on refusals too.
	respond *respond
}

// shape is the outline of the policy.
func (p *Policy) shape() *outline {
	if p.outline == nil {
		return noOutline
	}
	return p.outline
}

// stage is a part of a decision. It returns true if it has decided.
type stage interface {
	run(ctx context.Context, x *exchange) bool
}

// whole is a policy and the stages that every policy has, in one piece: there may be a
// hundred thousand of them.
type whole struct {
	Policy
	authenticate authenticate
	scopes       scopes
	rules        rules
	respond      respond
	usual        [5]stage
}

// New makes a policy.
func New(c Config) *Policy {
	o := outlineOf(c)
	w := &whole{Policy: Policy{name: c.Name, version: c.Version, outline: o}, authenticate: newAuthenticate(c, o), rules: newRules(c, o)}
	w.scopes = scopes{&w.authenticate, lacksScope.of(c.Unauthorized)}
	w.respond = respond{outline: o, headers: c.Headers, metadata: c.Metadata, token: newTokenStage(c, &w.authenticate)}
	stages := w.usual[:0] // for more than that there is no room
	if c.Resource != nil {
		stages = append(stages, newGuard(c.Resource, c.Unauthorized))
	}
	stages = append(stages, &w.authenticate)
	if c.MCP != nil {
		stages = append(stages, newCalls(c))
	}
	stages = append(stages, &w.scopes)
	if c.MCP != nil {
		stages = append(stages, &agrees{&w.rules})
	}
	stages = append(stages, &w.rules)
	if c.Access != nil {
		stages = append(stages, newAccess(c))
	}
	w.Policy.stages, w.Policy.respond = append(stages, &o.strip, &w.respond), &w.respond
	return &w.Policy
}

// Invalid is a policy that cannot be in force: its routes answer 503. It sets headers
// of no names, which stay its own all the same.
func Invalid(name string, version *authz.PolicyVersion, names Names) *Policy {
	return &Policy{name: name, version: version, outline: &outline{kept: names}, stages: []stage{invalid{name}}}
}

type invalid struct{ name string }

func (s invalid) run(_ context.Context, x *exchange) bool {
	x.trace.Add(authz.Step{Stage: authz.StageMatch, Outcome: authz.StepRefused, Detail: "policy " + s.name + " is not valid, so its routes answer 503"})
	return x.decide(Unavailable(authz.PolicyInvalid, "the policy is not valid; see its conditions", 0))
}

// Name is the namespace/name of the policy.
func (p *Policy) Name() string { return p.name }

// Version is that of the policy, which its decisions share; nil where nobody said it.
func (p *Policy) Version() *authz.PolicyVersion { return p.version }

// Names are those of the headers that the policy sets.
func (p *Policy) Names() Names {
	if o := p.shape(); o.kept == nil {
		return o.names
	}
	return p.outline.kept
}

// Decide decides a request, of which the policy's host knows host.
func (p *Policy) Decide(ctx context.Context, r *authz.Request, host Host, trace *authz.Trace) authz.Decision {
	x := begin(p, r, host, trace)
	if b := work.BudgetOf(ctx); b != nil {
		b.Owner.Namespace, b.Owner.Policy, _ = strings.Cut(p.name, "/")
		defer b.Done()
	}
	if !p.run(ctx, x) {
		x.decision = Unavailable(authz.Internal, "a defect of agentauth: a policy without a decision", 0)
	}
	x.decision.Version = p.version
	if x.decision.Policy = p.name; x.decision.Outcome != authz.Allow && p.respond != nil {
		x.decision.Metadata = x.refusalMetadata(ctx, p.respond.metadata)
	}
	if x.identity != nil {
		x.decision.Identity, x.decision.Method = x.identity, x.identity.Method
		x.tellRevoked()
	}
	return x.end()
}

func (p *Policy) run(ctx context.Context, x *exchange) bool {
	for _, s := range p.stages {
		if s.run(ctx, x) {
			return true
		}
	}
	return false
}
