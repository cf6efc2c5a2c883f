package main

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// recordedRequest is a request of an audit log.
type recordedRequest struct {
	// id names the request for people.
	id  string
	raw authz.Raw
	// identity is nil if nobody was authenticated. parts are those that the record has,
	// as [authz.Recorded] names them.
	identity *authz.Identity
	parts    map[string]bool
	was      told
	// lacks is why the request cannot be decided anew; "" if it can.
	lacks string
}

// told is what is compared of a decision.
type told struct {
	Decision string       `json:"decision"`
	Status   int          `json:"status"`
	Policy   string       `json:"policy"`
	Rule     string       `json:"rule,omitempty"`
	Reason   authz.Reason `json:"reason"`
}

func tell(d *authz.Decision) told {
	t := told{d.Outcome.String(), d.Status, d.Policy, d.Rule, d.Reason}
	if d.Outcome == authz.Allow {
		t.Status = 200 // as check prints it
	}
	return t
}

func (t told) allows() bool { return t.Decision == authz.Allow.String() }

// try decides a request with the policies of a side.
func (s *side) try(ctx context.Context, q *recordedRequest) (authz.Decision, *authz.Recorded) {
	rec := &authz.Recorded{Identity: q.identity, Reason: q.was.Reason, Parts: q.parts}
	if q.was.Policy == "" {
		rec.Reason = "" // no policy looked for a credential
	}
	return s.kernel.Try(ctx, q.raw, &authz.Trace{Rehearsal: true, Recorded: rec}), rec
}

// judge says what becomes of a request, or why that cannot be told.
func (c *comparison) judge(ctx context.Context, q *recordedRequest) (before, after told, unknown string) {
	if q.lacks != "" {
		return before, after, q.lacks
	}
	d, was := c.before.try(ctx, q)
	e, is := c.after.try(ctx, q)
	before, after = tell(&d), tell(&e)
	for _, side := range []*authz.Decision{&d, &e} {
		if why := undecidedMatch(side); why != "" {
			return before, after, why
		}
	}
	switch p, n := c.before.policies[d.Policy], c.after.policies[e.Policy]; {
	case d.Policy == e.Policy && p != nil && n != nil && reflect.DeepEqual(p.Spec, n.Spec) && (before == after || was.Unknown != "" && is.Unknown != ""):
		return before, before, "" // the same policy decides, and nothing of it changed: its target may be gone all the same
	case d.Policy == "" && before == after:
		return before, after, ""
	case d.Policy != q.was.Policy:
		return before, after, fmt.Sprintf("the record is of %s, and with %s %s decides", policyOr(q.was.Policy), c.before.path, policyOr(d.Policy))
	case was.Unknown != "" || is.Unknown != "":
		return before, after, cmp.Or(was.Unknown, is.Unknown)
	case before.Decision != q.was.Decision || before.Reason != q.was.Reason || before.Rule != q.was.Rule:
		return before, after, fmt.Sprintf("with %s it is decided otherwise than was recorded (%s %s; it was %s %s): other policies were in force (are the two directories the other way round?), or it depended on what is not in the record",
			c.before.path, before.Decision, before.Reason, q.was.Decision, q.was.Reason)
	default:
		return before, after, otherGround(p, n, &e, q.identity)
	}
}

func policyOr(name string) string {
	if name == "" {
		return "no policy"
	}
	return "policy " + name
}

// undecidedMatch says which part that no record has decides which policy decides; "" if
// none does.
func undecidedMatch(d *authz.Decision) string {
	part, _, _ := strings.Cut(strings.TrimPrefix(d.Detail, "the "), " can be read in two ways")
	if d.Policy != "" || d.Reason != authz.BadRequest || part != "query" && !strings.HasPrefix(part, "header ") {
		return ""
	}
	return "which policy decides depends on the " + part + ", which is not in the record"
}
