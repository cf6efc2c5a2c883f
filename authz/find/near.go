package find

import (
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// How much is told of what is near a request that no policy decides.
const (
	maxNearMatches = 10
	maxNearMisses  = 5
	maxLooks       = 256
)

// none records that no policy was found, and what is near: the policies that the
// host has, the wildcard that they hide, and what the request lacks for a match.
func (s *Snapshot) none(trace *authz.Trace, r *authz.Request, view match.View, f found) {
	if trace == nil {
		return
	}
	var near []string
	if f.served {
		near = append(near, "no policy has the route or its Gateway as a target")
	}
	counts := func(p *Policy) bool { return !f.served || slices.Contains(f.namespaces, p.Name.Namespace) }
	on := s.holding(s.covering(r.Host), counts)
	if patterns := coveringOf(on); len(patterns) == 0 {
		near = append(near, s.otherHosts(r.Host, counts))
	} else {
		near = append(near, hostHas(r.Host, patterns[0], on[patterns[0]]))
		if len(patterns) > 1 {
			near = append(near, notAsked(patterns[1], on[patterns[1]]))
		}
		near = append(near, misses(r, view, on[patterns[0]])...)
	}
	trace.Add(authz.Step{Stage: authz.StageMatch, Outcome: authz.StepNone, Read: asked(trace, r), Came: strings.Join(near, "; ")})
}

// covering are the hostnames of policies that cover a host.
func (s *Snapshot) covering(host string) map[string]bool {
	out := map[string]bool{}
	for _, n := range s.order {
		for _, h := range s.policies[n].Hostnames {
			if match.Within(host, h) {
				out[h] = true
			}
		}
	}
	return out
}

// coveringOf are the hostnames that have entries, the most specific first.
func coveringOf(on map[string][]holder) []string {
	var out []string
	for h := range on {
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b string) int { return match.CompareHostnames(b, a) })
	return out
}

// otherHosts says which hosts there are.
func (s *Snapshot) otherHosts(host string, counts func(*Policy) bool) string {
	var hosts []string
	for _, n := range s.order {
		if p := s.policies[n]; counts(p) {
			hosts = append(hosts, p.Hostnames...)
		}
	}
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	if len(hosts) == 0 {
		return "no policy has host " + host
	}
	return "no policy has host " + host + "; policies have: " + authz.FirstOf(hosts, maxNearMatches)
}

// hostHas lists the matches of a host.
func hostHas(host, pattern string, list []holder) string {
	var matches []string
	for _, h := range list {
		matches = append(matches, describe(h))
	}
	host = "host " + host
	if pattern != strings.TrimPrefix(host, "host ") {
		host += " is one of " + pattern + ", which"
	}
	return host + " has policies for: " + authz.FirstOf(matches, maxNearMatches)
}

// notAsked says which policies of a wildcard have no say.
func notAsked(pattern string, list []holder) string {
	var names []string
	for _, h := range list {
		if name := h.policy.Name.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return fmt.Sprintf("%s (%s) is not asked, because the host has policies of its own", authz.FirstOf(names, 3), pattern)
}

// describe is a match and its policy for people: "POST /v1 with header x-env
// (shop/orders)".
func describe(h holder) string {
	m := h.entry.Match
	kind, path := pathOf(m.Path)
	switch kind {
	case gatewayv1.PathMatchExact:
		path = "exactly " + path
	case gatewayv1.PathMatchRegularExpression:
		path = "paths like " + path
	case gatewayv1.PathMatchPathPrefix:
	}
	if m.Method != nil {
		path = string(*m.Method) + " " + path
	}
	var with []string
	for _, c := range m.Headers {
		with = append(with, "header "+string(c.Name))
	}
	for _, c := range m.QueryParams {
		with = append(with, "query "+string(c.Name))
	}
	if len(with) > 0 {
		path += " with " + strings.Join(with, ", ")
	}
	return path + " (" + h.policy.Name.String() + ")"
}

// misses says what the request lacks for the matches whose path it fits. It says
// no value of a header or of the query: it may be a credential.
func misses(r *authz.Request, view match.View, list []holder) (out []string) {
	for _, h := range list[:min(len(list), maxLooks)] {
		if lacks := lacks(r, view, *h.entry.Match); len(lacks) > 0 && len(out) < maxNearMisses {
			out = append(out, "for "+describe(h)+" "+strings.Join(lacks, " and "))
		}
	}
	return out
}

// lacks are the conditions of a match that a request does not meet; none if its
// path is another one.
func lacks(r *authz.Request, view match.View, m gatewayv1.HTTPRouteMatch) (out []string) {
	fits := func(one gatewayv1.HTTPRouteMatch) bool {
		index, _, err := match.Build([]match.Entry{{Hostname: "*", Match: one}}, match.Options{})
		if err != nil {
			return false
		}
		found := index.LookupAll(r.Host, view)
		_, ok := found.Entry()
		return ok || found.Ambiguous || found.Late
	}
	if !fits(gatewayv1.HTTPRouteMatch{Path: m.Path}) {
		return nearPath(view.Path, m.Path)
	}
	if m.Method != nil && !fits(gatewayv1.HTTPRouteMatch{Path: m.Path, Method: m.Method}) {
		out = append(out, fmt.Sprintf("the method is %s, wanted %s", view.Method, *m.Method))
	}
	for _, c := range m.Headers {
		if !fits(gatewayv1.HTTPRouteMatch{Path: m.Path, Headers: []gatewayv1.HTTPHeaderMatch{c}}) {
			there := view.Headers.Read(strings.ToLower(string(c.Name))).Came
			out = append(out, lacking("header "+string(c.Name), there))
		}
	}
	for _, c := range m.QueryParams {
		if !fits(gatewayv1.HTTPRouteMatch{Path: m.Path, QueryParams: []gatewayv1.HTTPQueryParamMatch{c}}) {
			out = append(out, lacking("query parameter "+string(c.Name), strings.Contains("&"+view.Query, "&"+string(c.Name)+"=")))
		}
	}
	return out
}

func lacking(what string, there bool) string {
	if there {
		return "the " + what + " has another value"
	}
	return "the " + what + " is missing"
}

// nearPath says what differs where a path is almost that of a match.
func nearPath(path string, m *gatewayv1.HTTPPathMatch) []string {
	kind, want := pathOf(m)
	trim := func(s string) string { return strings.TrimSuffix(s, "/") }
	switch {
	case kind == gatewayv1.PathMatchRegularExpression:
	case kind == gatewayv1.PathMatchExact && path != want && trim(path) == trim(want):
		return []string{"the final slash differs"}
	case strings.EqualFold(trim(path), trim(want)) || kind == gatewayv1.PathMatchPathPrefix && hasPrefixFold(path, trim(want)+"/"):
		return []string{"the letter case of the path differs"}
	}
	return nil
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
