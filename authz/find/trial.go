package find

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/policy"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// before is how many years older a shadowed policy counts in a trial than it is, so
// that it wins every tie: it is there to replace the policy beside it.
const before = 4000

// withTrial makes the Snapshot of the policies that are enforced, as if there were no
// others, and its trial, a Snapshot of all. What is enforced cannot depend on a
// shadowed policy: its Snapshot is made without.
func (u *update) withTrial(in *Input, policies []Listed) (*Snapshot, []int) {
	t := &update{Snapshot: &Snapshot{options: u.options}, prev: u.prev}
	if u.prev.trial != nil {
		t.prev = u.prev.trial
	}
	candidates := slices.Clone(policies)
	for i := range candidates {
		if candidates[i].Shadow {
			candidates[i].Created = candidates[i].Created.AddDate(-before, 0, 0)
		}
	}
	t.number(candidates)
	u.adopt(t, policies)
	u.make(in)
	u.trial, t.enforced, t.beside = t.Snapshot, u.Snapshot, u
	t.make(in)
	return u.Snapshot, t.places
}

// adopt gives the policies that are enforced the numbers that they have in a trial.
func (u *update) adopt(t *update, policies []Listed) {
	size := len(t.policies)
	u.policies, u.created = make([]*Policy, size), make([]time.Time, size)
	u.byName = make(map[types.NamespacedName]int, size)
	for n, p := range t.policies {
		if p != nil {
			u.all = append(u.all, n)
		}
		if p != nil && !p.Shadow {
			u.policies[n], u.created[n], u.byName[p.Name] = p, t.created[n], n
		}
	}
	u.listed = t.listed
	u.arrange()
	slices.SortFunc(u.all, func(a, b int) int { return compareAge(policies[t.places[a]], policies[t.places[b]]) })
}

// Shadows says whether some policy is shadowed.
func (s *Snapshot) Shadows() bool { return s.trial != nil }

// Shadowed returns the shadowed policy that would decide a request, and what it may do
// with it, if there is one. f is what was found without it.
func (s *Snapshot) Shadowed(ctx context.Context, r *authz.Request, f *Finding, trace *authz.Trace) (policy.Trial, bool) {
	trial, one, answer := s.trial, found{}, s.trial.answer(ctx, r, trace)
	if answer != nil {
		namespace, name, _ := strings.Cut(answer.Policy, "/")
		n, known := trial.byName[types.NamespacedName{Namespace: namespace, Name: name}]
		if !known {
			return policy.Trial{}, false
		}
		one = decidedBy(n)
	} else if one = trial.find(ctx, r, trace); one.outcome == targetGone {
		d := targetGoneOf(trial.policies[one.policy])
		answer = &d
	}
	if one.outcome != policyFound && one.outcome != targetGone || !trial.policies[one.policy].Shadow {
		return policy.Trial{}, false
	}
	p := trial.policies[one.policy]
	t := policy.Trial{Policy: p.Stages, Host: s.host(r, p, &one), Answer: answer, LetsThrough: f.unclaimed}
	if t.LetsThrough {
		t.Enforced = policy.Host{Shared: s.reserved.unmatched(r, f.namespaces), TrustForwarded: s.options.TrustForwarded}
	}
	return t, true
}

// warnIfAlone warns of a shadowed policy that requests are let through by.
func (a *asking) warnIfAlone() {
	if a.alone == nil {
		return
	}
	at := "spec.routes"
	if len(a.policy.TargetRefs) > 0 {
		at = "spec.targetRefs"
	}
	a.Doubts.Problems = append(a.Doubts.Problems, authz.Problem{Severity: authz.Warning, Lint: authz.ShadowedAlone, Field: at,
		Message: fmt.Sprintf("no other policy decides some of its requests on host %s, and while its mode is Shadow these are let through, whoever calls: "+
			"let an enforced policy decide them too, or set mode: Enforce", a.alone.Host)})
}

// aloneBeside warns of a shadowed policy that is not in force here, unless a policy of
// its namespace decides the request that it was found alone with.
func (s *Snapshot) aloneBeside(p *Policy, programmed *Programmed) (out []authz.Problem) {
	if programmed == nil || programmed.alone == nil {
		return nil
	}
	if r, err := requestOf(*programmed.alone, nil); err == nil && s != nil {
		f := s.find(&meter{work.WithEstimates(context.Background(), maxMatching), maxCandidates}, r, nil)
		if f.outcome == policyFound && s.policies[f.policy].Name.Namespace == p.Name.Namespace && s.policies[f.policy].Name != p.Name {
			return nil
		}
	}
	for _, problem := range programmed.Problems {
		if problem.Lint == authz.ShadowedAlone {
			out = append(out, problem)
		}
	}
	return out
}
