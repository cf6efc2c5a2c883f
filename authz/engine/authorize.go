package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/expr"
)

// authorize asks for scopes and rules. It returns false and the decision if
// one of them does not hold.
func (p *policy) authorize(ctx context.Context, r *authz.Request, w *who, rec *recorder) (authz.Decision, bool) {
	if d, ok := p.checkScopes(w, rec); !ok {
		return d, false
	}
	in := &expr.Input{Request: r, Identity: w.identity, Identities: w.identities}
	for i := range p.rules {
		rule := &p.rules[i]
		if rule.when != nil {
			applies, err := rule.when.Bool(ctx, in)
			if err != nil {
				return p.ruleFailed(ctx, rule.name, "when", err, rec), false
			}
			if !applies {
				rec.add("authorize", "rule %s does not apply", rule.name)
				continue
			}
		}
		holds, err := rule.require.Bool(ctx, in)
		if err != nil {
			return p.ruleFailed(ctx, rule.name, "require", err, rec), false
		}
		rec.add("authorize", "rule %s holds: %t", rule.name, holds)
		if !holds {
			return p.forbid(authz.RuleDenied, rule.name, fmt.Sprintf("The rule %q does not hold.", rule.name), "the rule does not hold"), false
		}
	}
	return authz.Decision{}, true
}

// checkScopes asks the scopes of every Required method, and of the method of
// `identity`, of that method's own identity.
func (p *policy) checkScopes(w *who, rec *recorder) (authz.Decision, bool) {
	var needed, missing []string
	for i := range p.methods {
		m := &p.methods[i]
		id := w.results[i].identity
		if id == nil || !m.required && id != w.identity {
			continue
		}
		for _, s := range m.scopes {
			if !slices.Contains(needed, s) {
				needed = append(needed, s)
			}
			if !slices.Contains(id.Scopes, s) {
				missing = append(missing, s)
			}
		}
	}
	if missing == nil {
		return authz.Decision{}, true
	}
	rec.add("authorize", "scopes are missing: %s", strings.Join(missing, " "))
	d := authz.Decision{Outcome: authz.Deny, Status: 403, Reason: authz.InsufficientScope,
		Detail: "missing scopes: " + strings.Join(missing, " "),
		Headers: []authz.Header{{Name: "www-authenticate",
			Value: `Bearer error="insufficient_scope", scope="` + strings.Join(needed, " ") + `"`}}}
	answer(&d, "The token lacks a scope. Get one with the scopes that www-authenticate names.", "", p.unauthorized)
	return d, false
}

func (p *policy) ruleFailed(ctx context.Context, name, part string, err error, rec *recorder) authz.Decision {
	rec.add("authorize", "rule %s: %s failed: %s", name, part, err)
	if ctx.Err() != nil {
		d := unavailable(authz.Unavailable, "the rules could not be evaluated in time", 0)
		d.Rule = name
		return d
	}
	return p.forbid(authz.ExpressionFailed, name, fmt.Sprintf("The rule %q does not hold.", name), part+" failed: "+err.Error())
}

func (p *policy) forbid(reason authz.Reason, rule, tell, detail string) authz.Decision {
	d := authz.Decision{Outcome: authz.Deny, Status: 403, Reason: reason, Rule: rule, Detail: detail}
	answer(&d, tell, rule, p.unauthorized)
	return d
}
