package find

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/policy"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// metadata are the answers to requests for the metadata of protected resources
// (RFC 9728). They are found by host and path alone: a request for metadata has not
// the method or headers of those for the resource, and another route may serve it.
// Whose resource it is, the requests for the resource say: the policy that decides
// them answers, and so no tenant can answer in the place of another.
type metadata struct {
	of []*resource // by the number of the policy; nil where it has none
	// served are resources by their place. alone are those that are the only ones of
	// their host, nil where it has several. withheld answer 503, by their place.
	served, withheld map[location]*resource
	alone            map[string]*resource
	// named are resources that are their policy's only where the proxy names a route:
	// it must be one of the policy's namespace.
	named map[namedLocation]*resource
}

type location struct{ host, path string }

type namedLocation struct {
	location
	namespace string
}

// resource is the protected resource of a policy, and which requests for it the policy
// decides. It never changes.
type resource struct {
	*policy.Resource
	namespace string
	rank      rank
	answer    authz.Decision // of the withheld
	problems  []authz.Problem
}

// rank says which requests for a resource its policy decides. Of several policies
// with one resource the first answers.
type rank uint8

const (
	// messages: POST without more, as clients send messages.
	messages rank = iota
	// some: another request.
	some
	// byName: a request of a route that the proxy names.
	byName
	// withheld: 503, since the policy is invalid or its host is disputed.
	withheld
	// none: other policies decide.
	none
)

// maxResourceAsks bounds the requests that are tried for one resource, and
// maxResourceLooks the rules of routes that are looked at for them.
const (
	maxResourceAsks  = 64
	maxResourceLooks = 1024
)

// answers finds the answers to requests for metadata. It takes over those that no
// change can have made false.
func (u *update) answers() {
	u.metadata.of = make([]*resource, len(u.policies))
	same := true
	for n, p := range u.policies {
		var before *resource
		if n < len(u.prev.metadata.of) {
			before = u.prev.metadata.of[n]
		}
		switch {
		case p == nil || p.Resource == nil:
		case before != nil && u.placed[n] == u.prev.placed[n] && !u.moves(n, p.Resource.Host):
			u.metadata.of[n] = before
		default:
			u.metadata.of[n] = u.resourceOf(n)
		}
		same = same && u.metadata.of[n] == before
	}
	if same = same && len(u.prev.metadata.of) <= len(u.policies); same && slices.Equal(u.order, u.prev.order) {
		u.metadata = u.prev.metadata
		return
	}
	u.metadata.index(u.order)
}

// index makes the tables. The policies of order are the older first.
func (m *metadata) index(order []int) {
	m.served, m.withheld, m.alone = map[location]*resource{}, map[location]*resource{}, map[string]*resource{}
	m.named = map[namedLocation]*resource{}
	for _, n := range order {
		r := m.of[n]
		if r == nil {
			continue
		}
		at := location{r.Host, r.Path}
		switch r.rank {
		case messages, some:
			if other := m.served[at]; other == nil || r.rank < other.rank {
				m.served[at] = r
			}
		case byName:
			putFirst(m.named, namedLocation{at, r.namespace}, r)
		case withheld:
			putFirst(m.withheld, at, r)
		case none:
		}
	}
	for at, r := range m.served {
		if _, several := m.alone[at.host]; several {
			r = nil
		}
		m.alone[at.host] = r
	}
}

func putFirst[K comparable](table map[K]*resource, at K, r *resource) {
	if table[at] == nil {
		table[at] = r
	}
}

// moves says whether a change may lead requests on a host, or for the targets of a
// policy, elsewhere.
func (u *update) moves(n int, host string) bool {
	on := func(patterns map[string]bool) bool {
		for h := range match.Covering(host) {
			if patterns[h] {
				return true
			}
		}
		return false
	}
	switch {
	case !u.tenancy.same(u.prev.tenancy), on(u.changes.hostnames):
		return true
	case u.attached == u.prev.attached || len(u.policies[n].TargetRefs) == 0 && !u.attached.Touches(host) && !u.prev.attached.Touches(host):
		return false
	}
	return !u.routesAlone || on(u.reattached) || !u.attached.Status(n).Same(u.prev.attached.Status(n))
}

// resourceOf asks which requests for the resource of a policy the policy decides.
func (u *update) resourceOf(n int) *resource {
	p := u.policies[n]
	out := &resource{Resource: p.Resource, namespace: p.Name.Namespace, rank: none}
	a := &asking{update: u, Programmed: Programmed{Doubts: &Doubts{}}, number: n, policy: p, meter: meter{work.WithEstimates(context.Background(), maxMatching), maxCandidates}}
	message := match.Sample{Host: out.Host, Method: "POST", Path: out.Path}
	if message.Path == "" {
		message.Path = "/"
	}
	decides, instead, _ := a.askOnce(message, nil)
	mine := instead.outcome == targetGone && instead.policy == n
	switch {
	case decides:
		out.rank = messages
	case a.someOf(message, func(s match.Sample, _ *authz.RouteRef) bool { ok, _, _ := a.askOnce(s, nil); return ok }):
		out.rank = some
	case a.someOf(message, func(s match.Sample, word *authz.RouteRef) bool { ok, _ := a.ask(s, word); return ok }):
		out.rank = byName
	case mine || instead.outcome == answered && instead.answer.Outcome == authz.Error:
		out.rank = withheld
	}
	if out.rank == withheld || out.rank < withheld && p.Invalid {
		out.rank, out.answer = withheld, policy.Unavailable(authz.PolicyInvalid, "the policy of the resource is not valid, or its target is not there; see its conditions", 0)
		if instead.outcome == answered {
			out.answer = *instead.answer
		}
		out.answer.Policy, out.answer.Version = p.Name.String(), p.Stages.Version()
	}
	out.problems = u.unreachable(out, len(p.TargetRefs) > 0)
	return out
}

// someOf asks for the requests for a resource that the matches of the policy, or of
// the routes that it is for, are about.
func (a *asking) someOf(message match.Sample, ask func(match.Sample, *authz.RouteRef) bool) bool {
	a.asks = 0
	for m, word := range a.about(message.Host) {
		for s := range match.Samples(message.Host, m) {
			if s.Path = message.Path; m.Method == nil {
				s.Method = message.Method
			}
			if a.asks >= maxResourceAsks || a.spent() {
				return false
			}
			if ask(s, word) {
				return true
			}
		}
	}
	return false
}

// about yields the matches on a host that the policy decides requests by, each with
// the word of a proxy that it needs.
func (a *asking) about(host string) iter.Seq2[gatewayv1.HTTPRouteMatch, *authz.RouteRef] {
	return func(yield func(gatewayv1.HTTPRouteMatch, *authz.RouteRef) bool) {
		for _, e := range a.policy.Entries {
			if match.Within(host, e.Hostname) && !(yield(*e.Match, nil) && a.aboutRoutes(host, &e, yield)) {
				return
			}
		}
		status, looks := a.attached.Status(a.number), 0
		if status == nil {
			return
		}
		for _, t := range status.InForce() {
			for place := range a.attached.Places(a.number, t) {
				if looks++; looks > maxResourceLooks {
					return
				}
				var word *authz.RouteRef
				if place.Unattached {
					ref := place.Rule.Ref()
					word = &ref
				}
				for _, m := range place.Matches {
					if covers(place.Hostnames, host) && !yield(m, word) {
						return
					}
				}
			}
		}
	}
}

// aboutRoutes yields what an entry and the routes of its namespace both match.
func (a *asking) aboutRoutes(host string, e *Entry, yield func(gatewayv1.HTTPRouteMatch, *authz.RouteRef) bool) bool {
	if !a.attached.Touches(e.Hostname) {
		return true
	}
	for place := range a.attached.PlacesIn(a.policy.Name.Namespace, e.Hostname) {
		for _, m := range place.Matches {
			if !place.Held && covers(place.Hostnames, host) && !yield(match.Both(*e.Match, m)[0], nil) {
				return false
			}
		}
	}
	return true
}

func covers(patterns []string, host string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match.Within(host, p) })
}

// unreachable warns of metadata that nobody is answered with.
func (s *Snapshot) unreachable(r *resource, hasTargets bool) []authz.Problem {
	var message string
	switch {
	case r.rank > byName:
		message = "the policy decides no request for it, so its metadata is not answered: let routes, or the route that targetRefs name, match its host and path"
	case hasTargets && len(s.attached.Serve(r.Host, match.View{Method: "GET", Path: policy.WellKnown + r.Path}).Rules) == 0:
		message = "no route of Gateway API that is known serves " + policy.WellKnown + r.Path + " on its host, so the proxy does not ask for its metadata: add a match for this path to the route"
	default:
		return nil
	}
	return []authz.Problem{{Severity: authz.Warning, Lint: authz.MetadataUnreachable, Field: "spec.mcp.resource", Message: message}}
}

// Unreachable are the warnings of a policy whose metadata nobody is answered with.
func (s *Snapshot) Unreachable(n int) []authz.Problem {
	s = s.of(n)
	if n >= len(s.metadata.of) || s.metadata.of[n] == nil || s.programmed[n] == nil || !s.programmed[n].Decides {
		return nil // other conditions tell
	}
	return s.metadata.of[n].problems
}

// answer is the answer to a request for the metadata of a resource; nil where the
// request is decided as any other.
func (s *Snapshot) answer(ctx context.Context, r *authz.Request, trace *authz.Trace) *authz.Decision {
	rest, ok := strings.CutPrefix(r.RawPath, policy.WellKnown)
	if !ok || len(s.metadata.of) == 0 || !policy.ReadsMetadata(r.Method) {
		return nil
	}
	m, at := &s.metadata, location{r.Host, rest}
	found := m.served[at]
	if r.Route != nil {
		found = cmp.Or(m.named[namedLocation{at, r.Route.Namespace}], found)
	}
	if found == nil && rest == "" {
		alone, some := m.alone[r.Host]
		switch {
		case !some || alone != nil && !s.isRootOf(ctx, r, alone):
		case alone == nil:
			d := policy.SeveralResources()
			refused(trace, d.Detail)
			return &d
		default:
			found = alone
		}
	}
	if found == nil {
		return nil
	}
	d := found.Answer(r.Method)
	trace.Add(authz.Step{Stage: authz.StageMatch, Name: d.Policy, Outcome: authz.StepDone, Detail: "the metadata of the resource of policy " + d.Policy + " is the answer"})
	return &d
}

// isRootOf says whether a request for the metadata without the path of a resource may be
// for that resource. Among tenants the root of a host is not his who has some path of
// it: no policy and no route of another namespace may have the request.
func (s *Snapshot) isRootOf(ctx context.Context, r *authz.Request, one *resource) bool {
	if s.options.OneTenant {
		return true
	}
	f := s.byPath(r, match.View{Method: r.Method, Path: r.RawPath, Query: r.RawQuery, Headers: r, Ctx: ctx}, nil)
	other := func(namespace string) bool { return namespace != one.namespace }
	switch f.outcome {
	case policyFound, targetGone:
		return !other(s.policies[f.policy].Name.Namespace)
	case nobody:
		return !slices.ContainsFunc(f.namespaces, other)
	case answered:
	}
	return false
}

// instead is the answer to a request for the metadata of a resource whose policy cannot
// decide, where nobody else decides the request.
func (m *metadata) instead(r *authz.Request, d *authz.Decision) *authz.Decision {
	if d.Reason != authz.NoPolicy && d.Reason != authz.Unmatched || len(m.withheld) == 0 || !policy.ReadsMetadata(r.Method) {
		return d
	}
	if rest, ok := strings.CutPrefix(r.RawPath, policy.WellKnown); ok && m.withheld[location{r.Host, rest}] != nil {
		d = &m.withheld[location{r.Host, rest}].answer
	}
	return d
}
