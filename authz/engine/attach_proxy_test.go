package engine

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// servedAt is where some proxy serves a request: this is what really happens,
// written down a second time and as plainly as can be.
type servedAt struct {
	route    *gatewayv1.HTTPRoute
	rule     string
	gateway  string
	listener string
}

func (s servedAt) String() string {
	return fmt.Sprintf("%s/%s rule %q on %s listener %q", s.route.Namespace, s.route.Name, s.rule, s.gateway, s.listener)
}

// offer is a match that competes for a request.
type offer struct {
	at       servedAt
	host     string
	match    gatewayv1.HTTPRouteMatch
	sequence int
}

// proxies are the places where some proxy would serve it: any Gateway and port,
// with listeners isolated or merged, in each order of matches.
func proxies(in Input, raw authz.Raw) []servedAt {
	var out []servedAt
	for _, g := range in.Gateways {
		for _, port := range []gatewayv1.PortNumber{80, 443} {
			var offers []offer
			most := ""
			for _, l := range g.Spec.Listeners {
				pattern := patternOf(l.Hostname)
				if l.Port != port || !fits(pattern, raw.Host) {
					continue
				}
				if better(pattern, most) {
					most = pattern
				}
				offers = append(offers, offersOf(in, g, l, raw.Host)...)
			}
			var isolated []offer
			for _, o := range offers {
				for _, l := range g.Spec.Listeners {
					if string(l.Name) == o.at.listener && patternOf(l.Hostname) == most {
						isolated = append(isolated, o)
					}
				}
			}
			for _, list := range [][]offer{offers, isolated} {
				for _, early := range []bool{false, true} {
					for _, count := range []bool{false, true} {
						for _, at := range winners(list, raw, early, count) {
							if !slices.Contains(out, at) {
								out = append(out, at)
							}
						}
					}
				}
			}
		}
	}
	return out
}

func patternOf(h *gatewayv1.Hostname) string {
	if h == nil {
		return "*"
	}
	return string(*h)
}

func fits(pattern, host string) bool {
	return pattern == "*" || pattern == host || pattern[0] == '*' && strings.HasSuffix(host, pattern[1:])
}

// better: exact before wildcards, a longer one before a shorter.
func better(a, b string) bool {
	if b == "" || a == b {
		return b == ""
	}
	if (a[0] == '*') != (b[0] == '*') {
		return a[0] != '*'
	}
	return len(a) > len(b)
}

func offersOf(in Input, g *gatewayv1.Gateway, l gatewayv1.Listener, host string) []offer {
	var out []offer
	for _, r := range in.HTTPRoutes {
		if !slices.ContainsFunc(r.Spec.ParentRefs, func(ref gatewayv1.ParentReference) bool {
			return string(ref.Name) == g.Name && (ref.SectionName == nil || *ref.SectionName == l.Name) && (ref.Port == nil || *ref.Port == l.Port)
		}) || !admitted(in, l, r.Namespace) {
			continue
		}
		hosts := r.Spec.Hostnames
		if len(hosts) == 0 {
			hosts = []gatewayv1.Hostname{gatewayv1.Hostname(patternOf(l.Hostname))}
		}
		for _, h := range hosts {
			common := string(h)
			if better(patternOf(l.Hostname), common) {
				common = patternOf(l.Hostname)
			}
			if !fits(string(h), host) || !fits(patternOf(l.Hostname), host) {
				continue
			}
			for i, rule := range r.Spec.Rules {
				name := ""
				if rule.Name != nil {
					name = string(*rule.Name)
				}
				matches := rule.Matches
				if len(matches) == 0 {
					matches = []gatewayv1.HTTPRouteMatch{{}}
				}
				for _, m := range matches {
					out = append(out, offer{servedAt{r, name, g.Name, string(l.Name)}, common, m, i})
				}
			}
		}
	}
	return out
}

func admitted(in Input, l gatewayv1.Listener, namespace string) bool {
	switch *l.AllowedRoutes.Namespaces.From {
	case gatewayv1.NamespacesFromSame:
		return namespace == "shop"
	case gatewayv1.NamespacesFromSelector:
		for _, n := range in.Namespaces {
			if n.Name == namespace {
				return n.Labels["edge"] == "yes"
			}
		}
	case gatewayv1.NamespacesFromAll, gatewayv1.NamespacesFromNone:
	}
	return true
}

// winners are the best offers on the best host, on every listener they are on.
func winners(offers []offer, raw authz.Raw, regexFirst, methodIsHeader bool) []servedAt {
	host := ""
	for _, o := range offers {
		if better(o.host, host) {
			host = o.host
		}
	}
	var list []offer
	for _, o := range offers {
		if o.host == host && holds(o.match, raw) {
			list = append(list, o)
		}
	}
	if len(list) == 0 {
		return nil
	}
	order := func(a, b offer) int {
		pa, pb := rankOf(a.match, regexFirst), rankOf(b.match, regexFirst)
		ma, mb, ha, hb := 0, 0, len(a.match.Headers), len(b.match.Headers)
		if a.match.Method != nil {
			ma = 1
		}
		if b.match.Method != nil {
			mb = 1
		}
		if methodIsHeader {
			ma, mb, ha, hb = 0, 0, ha+ma, hb+mb
		}
		return cmp.Or(cmp.Compare(pa, pb), cmp.Compare(len(valueOf(b.match)), len(valueOf(a.match))), cmp.Compare(mb, ma), cmp.Compare(hb, ha),
			cmp.Compare(len(b.match.QueryParams), len(a.match.QueryParams)),
			cmp.Compare(a.at.route.Namespace, b.at.route.Namespace), cmp.Compare(a.at.route.Name, b.at.route.Name), cmp.Compare(a.sequence, b.sequence))
	}
	slices.SortStableFunc(list, order)
	var out []servedAt
	for _, o := range offers {
		if o.at.route == list[0].at.route && o.at.rule == list[0].at.rule {
			out = append(out, o.at)
		}
	}
	return out
}

func typeOf(m gatewayv1.HTTPRouteMatch) gatewayv1.PathMatchType {
	if m.Path == nil {
		return gatewayv1.PathMatchPathPrefix
	}
	return *m.Path.Type
}

func valueOf(m gatewayv1.HTTPRouteMatch) string {
	if m.Path == nil {
		return "/"
	}
	return *m.Path.Value
}

func rankOf(m gatewayv1.HTTPRouteMatch, regexFirst bool) int {
	switch typeOf(m) {
	case gatewayv1.PathMatchExact:
		return 0
	case gatewayv1.PathMatchRegularExpression:
		if regexFirst {
			return 1
		}
		return 3
	case gatewayv1.PathMatchPathPrefix:
	}
	return 2
}

func holds(m gatewayv1.HTTPRouteMatch, raw authz.Raw) bool {
	path, query, _ := strings.Cut(raw.Path, "?")
	value := valueOf(m)
	switch typeOf(m) {
	case gatewayv1.PathMatchExact:
		if path != value {
			return false
		}
	case gatewayv1.PathMatchRegularExpression:
		if !regexp.MustCompile("^(?:" + value + ")$").MatchString(path) {
			return false
		}
	case gatewayv1.PathMatchPathPrefix:
		if value != "/" && path != value && !strings.HasPrefix(path, value+"/") {
			return false
		}
	}
	if m.Method != nil && string(*m.Method) != raw.Method || len(m.QueryParams) > 0 && query != "q=1" {
		return false
	}
	for _, h := range m.Headers {
		if !slices.ContainsFunc(raw.Headers, func(f authz.Header) bool { return f.Name == string(h.Name) }) {
			return false
		}
	}
	return true
}

// truthOf is the policy of a place, by the order of the six; policies of these
// worlds are of one age.
func truthOf(in Input, at servedAt, raw authz.Raw, _ Options) string {
	policies := slices.Clone(in.Policies)
	slices.SortFunc(policies, func(a, b *v1alpha1.AgentAuthPolicy) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	targets := func(namespace string, kind v1alpha1.TargetKind, name, section string, override bool) *v1alpha1.AgentAuthPolicy {
		for _, p := range policies {
			if p.Namespace == namespace && (p.Spec.Precedence == v1alpha1.PrecedenceOverride) == override &&
				slices.Contains(p.Spec.TargetRefs, v1alpha1.TargetReference{Group: v1alpha1.GatewayGroup, Kind: kind, Name: name, SectionName: section}) {
				return p
			}
		}
		return nil
	}
	say := func(p *v1alpha1.AgentAuthPolicy) string {
		if len(p.Spec.Authentication.Methods) == 0 {
			return "503 " + p.Namespace + "/" + p.Name
		}
		return p.Namespace + "/" + p.Name
	}
	steps := []*v1alpha1.AgentAuthPolicy{
		targets("shop", "Gateway", at.gateway, "", true), targets("shop", "Gateway", at.gateway, at.listener, true),
	}
	if at.rule != "" {
		steps = append(steps, targets(at.route.Namespace, "HTTPRoute", at.route.Name, at.rule, false))
	}
	steps = append(steps, targets(at.route.Namespace, "HTTPRoute", at.route.Name, "", false))
	// Its own `routes`: the best host, and the best match there.
	var best *offer
	var own *v1alpha1.AgentAuthPolicy
	host := ""
	for _, p := range policies {
		for _, r := range p.Spec.Routes {
			if h := string(r.Hostnames[0]); p.Namespace == at.route.Namespace && fits(h, raw.Host) && better(h, host) {
				host = h
			}
		}
	}
	for _, p := range policies {
		for _, r := range p.Spec.Routes {
			if p.Namespace != at.route.Namespace || string(r.Hostnames[0]) != host {
				continue
			}
			m := gatewayv1.HTTPRouteMatch{}
			if len(r.Matches) > 0 {
				m = r.Matches[0]
			}
			o := offer{match: m, at: servedAt{route: at.route}}
			if holds(m, raw) && (best == nil || moreSpecific(m, best.match)) {
				best, own = &o, p
			}
		}
	}
	steps = append(steps, own, targets("shop", "Gateway", at.gateway, at.listener, false), targets("shop", "Gateway", at.gateway, "", false))
	for _, p := range steps {
		if p != nil {
			return say(p)
		}
	}
	return "none"
}

func moreSpecific(a, b gatewayv1.HTTPRouteMatch) bool {
	method := func(m gatewayv1.HTTPRouteMatch) int {
		if m.Method != nil {
			return 1
		}
		return 0
	}
	if typeOf(a) == gatewayv1.PathMatchRegularExpression && typeOf(b) == gatewayv1.PathMatchRegularExpression {
		return false // the older
	}
	return cmp.Or(cmp.Compare(rankOf(a, false), rankOf(b, false)), cmp.Compare(len(valueOf(b)), len(valueOf(a))), cmp.Compare(method(b), method(a)),
		cmp.Compare(len(b.Headers), len(a.Headers)), cmp.Compare(len(b.QueryParams), len(a.QueryParams))) < 0
}
