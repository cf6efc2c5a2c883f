package find

import (
	"context"
	"slices"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// Programmed says whether a policy decides some request, and who decides where
// it does not. It never changes.
type Programmed struct {
	Decides bool
	// Rejects: another policy has all that the policy is for, so it is not Accepted
	// either.
	Rejects bool
	// Partly: it decides, and another policy has a part of what it is for.
	Partly bool
	// touches: routes of Gateway API have some of its hosts.
	touches bool
	// witness is the path of a request that it decides by its `routes`, on the
	// SampleHost of pattern, the hostname of the entry.
	witness, pattern string
	*Doubts
}

// Doubts are why a policy does not decide all that it is for.
type Doubts struct {
	// Reason says why it decides none.
	Reason, Message string
	Problems        []authz.Problem
	// alone is a request that a shadowed policy would decide and no other policy
	// claims; nil: none was found.
	alone *match.Sample
}

// noDoubts are the doubts about most policies. Nobody changes it.
var noDoubts = &Doubts{}

// same says whether two lead to one report.
func (p *Programmed) same(other *Programmed) bool {
	if p == nil || other == nil {
		return p == other
	}
	return p.Decides == other.Decides && p.Reason == other.Reason && p.Message == other.Message && p.Rejects == other.Rejects &&
		p.Partly == other.Partly && slices.Equal(p.Problems, other.Problems)
}

// The bounds of asking for one policy. A policy beyond them has the benefit of the
// doubt: no policy of people needs that many requests, or that many candidates
// looked at.
const (
	maxAsks            = 4096
	maxCandidates      = 4096
	candidatesPerEntry = 16
	maxMatching        = 20 * time.Millisecond // of regular expressions, by their estimates
	MaxInsteads        = 20
)

// meter ends a lookup after so many candidates with conditions: package match
// asks it before each. So the bound is the same on every machine.
type meter struct {
	context.Context
	left int
}

func (m *meter) Err() error {
	if m.left--; m.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// program asks who decides what the policies are for. It takes over the answers
// that no change can have made false.
func (u *update) program() {
	u.programmed = make([]*Programmed, len(u.policies))
	for _, n := range u.order {
		p := u.policies[n]
		if p.Invalid {
			continue
		}
		if n < len(u.prev.programmed) && u.prev.placed[n] == u.placed[n] && !u.affects(n, u.prev.programmed[n]) {
			u.programmed[n] = u.prev.programmed[n]
			continue
		}
		a := &asking{update: u, Programmed: Programmed{Doubts: &Doubts{}}, number: n, policy: p, meter: meter{work.WithEstimates(context.Background(), maxMatching), maxCandidates + candidatesPerEntry*len(p.Entries)}}
		if u.attached.Status(n) != nil {
			a.touches = true
			a.targets()
		} else {
			a.routes()
		}
		a.warnIfAlone()
		if a.Reason == "" && a.Message == "" && a.Doubts.Problems == nil && a.alone == nil {
			a.Doubts = noDoubts
		}
		kept := a.Programmed // a pointer into asking would keep the Snapshot before, and each one before that
		u.programmed[n] = &kept
	}
}

// affects says whether a change may have made an answer false.
func (u *update) affects(n int, before *Programmed) bool {
	if u.beside != nil && u.policies[n].Shadow {
		return u.mayTouch(n, u.policies[n]) || u.beside.mayTouch(n, u.policies[n]) // it is asked who decides without it too
	}
	if !u.tenancy.same(u.prev.tenancy) {
		return true
	}
	p := u.policies[n]
	targets := len(p.TargetRefs) > 0
	touches := targets || slices.ContainsFunc(p.Hostnames, u.attached.Touches)
	switch {
	case u.attached != u.prev.attached && (before.touches || touches) && u.reattach(n, p):
		return true
	case targets:
		return u.changes.touch
	case before.Decides && !touches && before.pattern != "":
		return u.changes.take(before.witness, before.pattern)
	}
	return slices.ContainsFunc(p.Hostnames, u.changes.overlap)
}

// reattach says whether routes changed on a host of a policy.
func (u *update) reattach(n int, p *Policy) bool {
	if !u.routesAlone || !u.attached.Status(n).Same(u.prev.attached.Status(n)) {
		return true
	}
	on := func(pattern string) bool {
		for h := range u.reattached {
			if match.Overlap(h, pattern) {
				return true
			}
		}
		return false
	}
	some := len(p.Hostnames) > 0
	for _, attached := range []*attached{u.prev.attached, u.attached} {
		for use := range attached.Hosts(n) {
			if some = true; on(use.Pattern) {
				return true
			}
		}
	}
	return !some || slices.ContainsFunc(p.Hostnames, on)
}

// mayTouch says whether a change may concern some request of a policy, which may be in
// force elsewhere only.
func (u *update) mayTouch(n int, p *Policy) bool {
	switch {
	case !u.tenancy.same(u.prev.tenancy), u.closed != u.prev.closed, u.attached != u.prev.attached && u.reattach(n, p):
		return true
	case len(p.TargetRefs) > 0 && u.changes.touch:
		return true
	}
	return slices.ContainsFunc(p.Hostnames, u.changes.overlap)
}

// changes are the candidates that came to the indexes and that went, by hostname.
type changes struct {
	came      map[string][]*match.Candidate
	wildcards []string // of these
	hostnames map[string]bool
	// touch: some hostname is one of routes of Gateway API too.
	touch bool
}

func (c *changes) note(before, now *placed, attached *attached) {
	for i, p := range []*placed{before, now} {
		if p == nil {
			continue
		}
		for _, candidate := range slices.Concat(p.index, p.refused, p.own) {
			h := candidate.Hostname()
			if !c.hostnames[h] {
				c.hostnames[h] = true
				c.touch = c.touch || attached.Touches(h)
			}
			if i == 0 {
				continue
			}
			if c.came[h] == nil && h[0] == '*' {
				c.wildcards = append(c.wildcards, h)
			}
			c.came[h] = append(c.came[h], candidate)
		}
	}
}

// take says whether a candidate that came may take a request, on the SampleHost of a
// pattern, from the entry of the pattern that has it.
func (c *changes) take(path, pattern string) bool {
	host := match.SampleHost(pattern)
	took := func(h string) bool {
		switch compared := match.CompareHostnames(h, pattern); {
		case len(c.came[h]) == 0, !match.Within(host, h), compared < 0:
			return false
		case compared > 0:
			return true
		}
		return slices.ContainsFunc(c.came[h], func(one *match.Candidate) bool { return one.MayMatch(path) })
	}
	return took(host) || slices.ContainsFunc(c.wildcards, took)
}

func (c *changes) overlap(hostname string) bool {
	for h := range c.hostnames {
		if match.Overlap(h, hostname) {
			return true
		}
	}
	return false
}

// asking is the asking for one policy.
type asking struct {
	*update
	Programmed
	number int
	policy *Policy
	asks   int
	meter  meter
}

// spent says whether a bound is reached.
func (a *asking) spent() bool {
	return a.asks > maxAsks || a.meter.left < 0 || work.BudgetOf(&a.meter).Spent()
}

// ask says whether the policy decides a request, without the proxy's word or with
// that of a proxy that would serve it; and what decides it otherwise.
func (a *asking) ask(s match.Sample, word *authz.RouteRef) (bool, found) {
	ok, f, r := a.askOnce(s, word)
	if ok || r == nil || !a.hasRoutes || word != nil || f.outcome != answered {
		return ok, f
	}
	served := a.attached.Serve(r.Host, match.View{Method: r.Method, Path: r.RawPath, Query: r.RawQuery, Headers: r, Ctx: &a.meter})
	for _, rule := range served.Rules {
		ref := rule.Ref()
		if ok, f := a.ask(s, &ref); ok {
			return true, f
		}
	}
	return false, f
}

// askOnce is ask with the word that is given, or without any. The request is nil where
// it is refused.
func (a *asking) askOnce(s match.Sample, word *authz.RouteRef) (bool, found, *authz.Request) {
	a.asks++
	r, err := requestOf(s, word)
	if err != nil {
		return false, found{}, nil
	}
	f := a.find(&a.meter, r, nil)
	ok := f.outcome == policyFound && f.policy == a.number
	if ok && a.enforced != nil && a.policy.Shadow && a.alone == nil && a.enforced.find(&a.meter, r, nil).unclaimed {
		a.alone = &s
	}
	return ok, f, r
}

// requestOf is a request for which the proxy names a route, or none.
func requestOf(s match.Sample, word *authz.RouteRef) (*authz.Request, error) {
	raw := authz.Raw{Method: s.Method, Scheme: "https", Host: s.Host, Path: s.Path, TLS: true, Route: word}
	if s.Query != "" {
		raw.Path += "?" + s.Query
	}
	for _, h := range s.Headers {
		raw.Headers = append(raw.Headers, authz.Header{Name: h.Name, Value: h.Value})
	}
	return authz.NewRequest(raw)
}

// routes asks for the entries of a policy: for one that it decides, and for all
// on hosts that routes of Gateway API have.
func (a *asking) routes() {
	placed := a.placed[a.number]
	a.touches = slices.ContainsFunc(a.policy.Hostnames, a.attached.Touches)
	overridden := false
	for i := range a.policy.Entries {
		e := &a.policy.Entries[i]
		v := placed.verdict(i)
		_, lost := placed.lost[i]
		if _, own := placed.ownLost[i]; lost || v.verdict == ungranted || v.verdict != inForce && (!v.part || own) {
			continue // conflicts say so
		}
		if a.Decides && !a.attached.Touches(e.Hostname) && (!a.policy.Shadow || a.alone != nil) {
			continue
		}
		s, ok, by := a.entry(e)
		switch {
		case ok && !a.Decides:
			a.Decides, a.witness, a.pattern = true, s.Path, e.Hostname
		case !ok:
			overridden = a.instead(i, by) || overridden
		}
	}
	switch {
	case a.Decides:
		a.Partly = len(a.Doubts.Problems) > 0
	case overridden:
		a.Rejects, a.Reason = true, v1alpha1.ReasonOverridden
	default:
		a.Rejects, a.Reason = true, v1alpha1.ReasonConflicted
		a.Doubts.Problems = append(a.Doubts.Problems, authz.Problem{Severity: authz.Conflicting, Field: "spec.routes",
			Message: "expected some request that this policy decides, and each one made for its matches is decided by other policies, or refused; change its matches, or remove it"})
	}
}

// entry asks for one entry: for its match, and for its match and that of each
// route of the namespace that no other policy has.
func (a *asking) entry(e *Entry) (match.Sample, bool, found) {
	var by found
	for s := range match.Samples(match.SampleHost(e.Hostname), *e.Match) {
		ok, f := a.ask(s, nil)
		if ok || a.spent() {
			return s, true, f
		}
		if by.outcome == nobody || by.outcome == answered {
			by = f
		}
		if a.hasTargets(f) {
			break // another text of the expression is for the same route
		}
	}
	if !a.attached.Touches(e.Hostname) {
		return match.Sample{}, false, by
	}
	for place := range a.attached.PlacesIn(a.policy.Name.Namespace, e.Hostname) {
		if a.asks++; a.spent() || !place.Held && a.place(place, e.Match) {
			return match.Sample{}, true, found{}
		}
	}
	return match.Sample{}, false, by
}

// instead notes the policy with targets that decides in place of an entry, if it
// is one.
func (a *asking) instead(entry int, by found) bool {
	if !a.hasTargets(by) {
		return false
	}
	message := "a policy of the route decides instead"
	switch precedence := a.policies[by.policy].Precedence; {
	case by.outcome == targetGone:
		message = "a policy whose target is not there answers 503 instead"
	case precedence != "" && precedence != v1alpha1.PrecedenceDefault:
		message = "a policy of the Gateway with precedence Override decides instead"
	}
	if len(a.Doubts.Problems) < MaxInsteads {
		a.Doubts.Problems = append(a.Doubts.Problems, authz.Problem{Severity: authz.Overridden, Field: a.policy.Entries[entry].Field(), Message: message})
	}
	return true
}

// hasTargets says whether a policy with targets was found.
func (s *Snapshot) hasTargets(f found) bool {
	return (f.outcome == policyFound || f.outcome == targetGone) && len(s.policies[f.policy].TargetRefs) > 0
}
