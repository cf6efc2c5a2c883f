package engine

import (
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/match"
)

const dnsName = `[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*`

var hostname = text{1, 253, regexp.MustCompile(`^(\*|(\*\.)?` + dnsName + `)$`),
	`a host name in lower case without port, "*." and one, or "*"`}

// pathChars is Gateway API's rule for Exact and PathPrefix.
var pathChars = regexp.MustCompile(`^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$`)

func (f *findings) routes(at *field.Path, routes []v1alpha1.Route) {
	f.count(at, len(routes), 1, 16)
	for i, r := range routes {
		at := at.Index(i)
		f.count(at.Child("hostnames"), len(r.Hostnames), 1, 16)
		set(f, at.Child("hostnames"), r.Hostnames, 16, hostname)
		f.count(at.Child("matches"), len(r.Matches), 0, 64)
		// More would only take time.
		for j, m := range r.Matches[:min(len(r.Matches), 64)] {
			f.match(at.Child("matches").Index(j), m)
		}
	}
}

// match adds to what package match asks, which is more than Gateway API asks of
// values, what the API server asks of characters and lists.
func (f *findings) match(at *field.Path, m gatewayv1.HTTPRouteMatch) {
	problems := match.Check(match.Entry{Hostname: "*", Match: m})
	for _, p := range problems {
		f.invalid(at.Child(strings.TrimPrefix(p.Field, "match.")), "%s", p.Detail)
	}
	path := func(p match.Problem) bool { return strings.HasPrefix(p.Field, "match.path") }
	if !slices.ContainsFunc(problems, path) {
		f.pathCharacters(at.Child("path", "value"), m.Path)
	}
	unique(f, m.Headers, func(h gatewayv1.HTTPHeaderMatch) string { return string(h.Name) },
		func(i int, name string) { f.duplicateName(at.Child("headers").Index(i), name) })
	unique(f, m.QueryParams, func(q gatewayv1.HTTPQueryParamMatch) string { return string(q.Name) },
		func(i int, name string) { f.duplicateName(at.Child("queryParams").Index(i), name) })
}

func (f *findings) pathCharacters(at *field.Path, m *gatewayv1.HTTPPathMatch) {
	if m == nil || m.Type == nil || m.Value == nil {
		return
	}
	if *m.Type != gatewayv1.PathMatchRegularExpression && !pathChars.MatchString(*m.Value) {
		f.invalid(at, "expected a path of letters, digits, %%XX and any of -/._~!$&'()*+,;=:@, got %s", brief(*m.Value))
	}
}
