package policy

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
)

// scopes checks, for each Required method and for the method of `identity`, that
// the method's own identity has the method's scopes, and that `identity` has those of
// the entries that name what is asked of a server of MCP.
type scopes struct {
	*authenticate
	denial *denial
}

// metadata is the URL of the resource's metadata; "" is none.
func (s *scopes) metadata() string {
	if s.resource == nil {
		return ""
	}
	return s.resource.MetadataURL
}

func (s *scopes) run(_ context.Context, x *exchange) bool {
	if x.recorded().Lacks("identity.scopes") && len(s.needed(x)) > 0 {
		return x.unknown("the scopes of the identity")
	}
	missing, held, scheme := s.missing(x)
	if missing == nil {
		return false
	}
	has := "held: " + cmp.Or(authn.QuoteList(held), "none")
	x.trace.Add(authz.Step{Stage: authz.StageAuthorize, Outcome: authz.StepMissing, Read: strings.Join(missing, " "), Came: has})
	d := authz.Decision{Outcome: authz.Deny, Reason: authz.InsufficientScope,
		Detail:  "missing scopes: " + strings.Join(missing, " ") + "; " + has,
		Headers: []authz.Header{tokenChallenge(scheme, "insufficient_scope", s.needed(x), s.metadata())}}
	s.denial.answer(&d)
	return x.decide(d)
}

// binds says whether the scopes of a method count, and of which identity.
func (s *scopes) binds(x *exchange, i int) (*authz.Identity, bool) {
	id := x.credentials.results[i].identity
	return id, id != nil && (s.methods[i].Required || id == x.identity)
}

// missing are the scopes that are missing, those of an identity that lacks some, and the
// scheme that its token came under.
func (s *scopes) missing(x *exchange) (missing, held []string, scheme string) {
	for i := range s.methods {
		id, binds := s.binds(x, i)
		if !binds {
			continue
		}
		for _, scope := range s.methods[i].Scopes {
			if !slices.Contains(id.Scopes, scope) {
				missing, held, scheme = append(missing, scope), id.Scopes, x.credentials.scheme(id)
			}
		}
	}
	for scope := range x.operation() {
		if !slices.Contains(x.identity.Scopes, scope) && !slices.Contains(missing, scope) {
			missing, held, scheme = append(missing, scope), x.identity.Scopes, x.credentials.scheme(x.identity)
		}
	}
	return missing, held, scheme
}

// scheme is that of the tokens that could take the place of an identity's credential.
func (c *credentials) scheme(id *authz.Identity) string {
	for i := range c.results {
		if r := &c.results[i]; r.identity == id && r.place != nil && r.place.UnderDPoP() {
			return dpop
		}
	}
	return bearer
}

// needed are the scopes that are asked for, each once.
func (s *scopes) needed(x *exchange) (needed []string) {
	for i := range s.methods {
		if _, binds := s.binds(x, i); !binds {
			continue
		}
		for _, scope := range s.methods[i].Scopes {
			if !slices.Contains(needed, scope) {
				needed = append(needed, scope)
			}
		}
	}
	for scope := range x.operation() {
		if !slices.Contains(needed, scope) {
			needed = append(needed, scope)
		}
	}
	return needed
}

// operation are the scopes of what is asked of a server of MCP.
func (x *exchange) operation() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, a := range x.asked {
			for _, scope := range a.entry.Scopes {
				if !yield(scope) {
					return
				}
			}
		}
	}
}

// rules requires every rule whose `when` holds to hold, and, with denyOtherwise,
// that there is one.
type rules struct {
	*outline
	rules         []rule
	denyOtherwise bool

	override    *v1alpha1.Denial
	noneAllowed *denial
}

// rule is a Rule and the answer where it does not hold, which is made once.
type rule struct {
	Rule
	forbidden atomic.Pointer[denial]
}

func newRules(c Config, o *outline) rules {
	s := rules{outline: o, rules: make([]rule, len(c.Rules)), denyOtherwise: c.DenyOtherwise, override: c.Unauthorized, noneAllowed: noRuleAllows.of(c.Unauthorized)}
	for i := range c.Rules {
		s.rules[i].Rule = c.Rules[i]
	}
	return s
}

func (s *rules) run(ctx context.Context, x *exchange) bool {
	in := x.input()
	applied := false
	for i := range s.rules {
		rule := &s.rules[i]
		if rule.When != nil {
			applies, err := evalBool(ctx, rule.When, in)
			if err != nil {
				return x.decide(s.failed(ctx, x, rule, "when", err))
			}
			if !applies {
				x.trace.Add(authz.Step{Stage: authz.StageAuthorize, Name: rule.Name, Outcome: authz.StepNotApplicable, Came: s.came(x, "when", &rule.Rule, in)})
				continue
			}
		}
		applied = true
		if s.require(ctx, x, rule, in) {
			return true
		}
	}
	if s.denyOtherwise && !applied {
		return x.decide(s.noneApplies(x))
	}
	return false
}

// require ends the decision where the requirement of a rule does not hold.
func (s *rules) require(ctx context.Context, x *exchange, rule *rule, in *expr.Input) bool {
	holds, err := evalBool(ctx, rule.Require, in)
	if err != nil {
		return x.decide(s.failed(ctx, x, rule, "require", err))
	}
	if !holds {
		x.trace.Add(authz.Step{Stage: authz.StageAuthorize, Name: rule.Name, Outcome: authz.StepFails, Came: s.came(x, "require", &rule.Rule, in)})
		return x.decide(s.forbid(authz.RuleDenied, rule, "the rule does not hold"))
	}
	x.trace.Add(authz.Step{Stage: authz.StageAuthorize, Name: rule.Name, Outcome: authz.StepHolds})
	return false
}

// noneApplies is the decision where no rule is for the request.
func (s *rules) noneApplies(x *exchange) authz.Decision {
	const detail = "no rule applies, and authorization.otherwise is Deny"
	x.trace.Add(authz.Step{Stage: authz.StageAuthorize, Outcome: authz.StepRefused, Detail: detail})
	d := authz.Decision{Outcome: authz.Deny, Reason: authz.NoRuleApplies, Detail: detail}
	s.noneAllowed.answer(&d)
	return d
}

// failed is the decision where an expression of a rule has no value: 503 if its
// time ran out, else 403.
func (s *rules) failed(ctx context.Context, x *exchange, rule *rule, part string, err error) authz.Decision {
	if rec := x.recorded(); rec != nil && rec.Asked() > 0 {
		return x.unknownDecision("rule " + rule.Name + " (" + part + "): " + err.Error())
	}
	detail := part + " failed: " + err.Error()
	x.trace.Add(authz.Step{Stage: authz.StageAuthorize, Name: rule.Name, Outcome: authz.StepError, Detail: detail, Came: s.came(x, part, &rule.Rule, x.input())})
	if d, late := notEvaluated(ctx, err); late {
		d.Rule = rule.Name
		return d
	}
	return s.forbid(authz.ExpressionFailed, rule, detail)
}

func (s *rules) forbid(reason authz.Reason, rule *rule, detail string) authz.Decision {
	forbidden := rule.forbidden.Load()
	if forbidden == nil {
		forbidden = newDenial(403, fmt.Sprintf("The rule %q does not hold.", rule.Name), rule.Name, s.override)
		rule.forbidden.Store(forbidden)
	}
	d := authz.Decision{Outcome: authz.Deny, Reason: reason, Rule: rule.Name, Detail: detail}
	forbidden.answer(&d)
	return d
}
