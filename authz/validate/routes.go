package validate

import (
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/match"
)

const dnsName = `[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*`

var hostname = text{1, 253, regexp.MustCompile(`^(\*|(\*\.)?` + dnsName + `)$`),
	`a host name in lower case without port, "*." and one, or "*"`}

// MaxPatterns is the most different regular expressions that the routes of a
// policy may have. All are held compiled, up to 40 KiB each: a policy as large as
// the API server keeps could have 20,000 and take the memory of all others.
const MaxPatterns = 256

// MaxEntries is the most pairs of a hostname and a match that the routes of a
// policy may have: each is an entry of the index. The lists alone would let a
// policy of 64 KiB have 16,384.
const MaxEntries = 1024

// Entries counts the pairs of a hostname and a match of routes. A route without
// matches has one for each hostname.
func Entries(routes []v1alpha1.Route) int {
	n := 0
	for _, r := range routes {
		n += len(r.Hostnames) * max(1, len(r.Matches))
	}
	return n
}

// Patterns counts the different regular expressions of routes.
func Patterns(routes []v1alpha1.Route) int {
	seen := map[string]bool{}
	enter := func(kind, value string) {
		if kind == string(gatewayv1.PathMatchRegularExpression) {
			seen[value] = true
		}
	}
	for _, r := range routes {
		for _, m := range r.Matches {
			if p := m.Path; p != nil && p.Type != nil && p.Value != nil {
				enter(string(*p.Type), *p.Value)
			}
			for _, h := range m.Headers {
				if h.Type != nil {
					enter(string(*h.Type), h.Value)
				}
			}
			for _, q := range m.QueryParams {
				if q.Type != nil {
					enter(string(*q.Type), q.Value)
				}
			}
		}
	}
	return len(seen)
}

func (f *findings) routes(at *field.Path, routes []v1alpha1.Route) {
	f.count(at, len(routes), 1, 16)
	if n := Patterns(routes); n > MaxPatterns {
		f.invalid(at, "expected at most %d different regular expressions in a policy, got %d: use prefixes, or one expression for many values", MaxPatterns, n)
		return // to compile them is what it is about
	}
	if n := Entries(routes); n > MaxEntries {
		f.invalid(at, "expected at most %d pairs of a hostname and a match in a policy, got %d: use prefixes or wildcards, or make more policies", MaxEntries, n)
		return
	}
	for i, r := range upTo(routes, 16) {
		at := at.Index(i)
		f.count(at.Child("hostnames"), len(r.Hostnames), 1, 16)
		set(f, at.Child("hostnames"), r.Hostnames, 16, hostname)
		f.count(at.Child("matches"), len(r.Matches), 0, 64)
		for j, m := range upTo(r.Matches, 64) {
			f.match(at.Child("matches").Index(j), m)
		}
	}
}

// match leaves values to package match, which is stricter than Gateway API, and
// holds names to be unique, as the API server does.
func (f *findings) match(at *field.Path, m gatewayv1.HTTPRouteMatch) {
	for _, p := range match.Check(match.Entry{Hostname: "*", Match: m}) {
		f.invalid(at.Child(strings.TrimPrefix(p.Field, "match.")), "%s", cut(p.Message, 480))
	}
	if p := m.Path; p != nil && p.Type != nil && *p.Type == gatewayv1.PathMatchRegularExpression && p.Value != nil && match.MatchesEveryPath(*p.Value) {
		f.invalid(at.Child("path", "value"), "expected an expression that some path does not match, got %q: every other path would be decided by it, for expressions go before prefixes; write `type: PathPrefix, value: /`", cut(*p.Value, 100))
	}
	unique(m.Headers, func(h gatewayv1.HTTPHeaderMatch) string { return string(h.Name) },
		func(i int, name string) { f.duplicateName(at.Child("headers").Index(i), name) })
	unique(m.QueryParams, func(q gatewayv1.HTTPQueryParamMatch) string { return string(q.Name) },
		func(i int, name string) { f.duplicateName(at.Child("queryParams").Index(i), name) })
}

var sectionName = text{1, 253, objectName.pattern, "the name of a rule or listener: a DNS name in lower case"}

// attachment is where a policy says which requests it is for.
func (f *findings) attachment(at *field.Path, spec *v1alpha1.PolicySpec) {
	exactlyOne(f, at, member{"targetRefs", spec.TargetRefs != nil}, member{"routes", spec.Routes != nil})
	if spec.Routes != nil {
		f.routes(at.Child("routes"), spec.Routes)
	}
	gateways := spec.TargetRefs != nil
	if spec.TargetRefs != nil {
		f.count(at.Child("targetRefs"), len(spec.TargetRefs), 1, 16)
	}
	for i, ref := range upTo(spec.TargetRefs, 16) {
		at := at.Child("targetRefs").Index(i)
		oneOf(f, at.Child("group"), ref.Group, v1alpha1.GatewayGroup)
		oneOf(f, at.Child("kind"), ref.Kind, v1alpha1.TargetHTTPRoute, v1alpha1.TargetGRPCRoute, v1alpha1.TargetGateway)
		objectName.check(f, at.Child("name"), ref.Name)
		sectionName.optional(f, at.Child("sectionName"), ref.SectionName)
		gateways = gateways && ref.Kind == v1alpha1.TargetGateway
	}
	if spec.Precedence == "" {
		return
	}
	oneOf(f, at.Child("precedence"), spec.Precedence, v1alpha1.PrecedenceDefault, v1alpha1.PrecedenceOverride)
	if !gateways {
		f.invalid(at, "precedence is for targetRefs to Gateways only: leave it out, or make two policies")
	}
}
