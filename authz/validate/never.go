package validate

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// never says which part of a match no request has, and why; "" where that is not
// known.
func never(at *field.Path, m *gatewayv1.HTTPRouteMatch, admitted authz.PathForms) (where *field.Path, why string) {
	if p := m.Path; p != nil && p.Value != nil {
		if why := neverPath(p, admitted); why != "" {
			return at.Child("path", "value"), why
		}
	}
	for i, h := range m.Headers {
		kind := ptr.Deref(h.Type, gatewayv1.HeaderMatchExact)
		at := at.Child("headers").Index(i).Child("value")
		switch {
		case kind == gatewayv1.HeaderMatchExact && !authz.ValidFieldValue(h.Value):
			return at, fmt.Sprintf("%s has a space at an end or a control character, which no value of a header has: remove it", brief(h.Value))
		case kind == gatewayv1.HeaderMatchRegularExpression && match.NeverMatches(h.Value, match.Fields):
			return at, fmt.Sprintf("%s matches no value of a header: it must match a whole value, which has one line", brief(h.Value))
		}
	}
	for i, q := range m.QueryParams {
		if ptr.Deref(q.Type, gatewayv1.QueryParamMatchExact) == gatewayv1.QueryParamMatchRegularExpression && match.NeverMatches(q.Value, match.Params) {
			return at.Child("queryParams").Index(i).Child("value"), fmt.Sprintf("%s matches no text: it must match a whole value", brief(q.Value))
		}
	}
	return nil, ""
}

func neverPath(p *gatewayv1.HTTPPathMatch, admitted authz.PathForms) string {
	if !isLiteral(p) {
		if !match.NeverMatches(*p.Value, match.Paths) {
			return ""
		}
		const rest = "it must match the whole path, which begins with '/' and has no query, space or host"
		if !strings.HasPrefix(strings.TrimPrefix(*p.Value, "^"), "/") {
			return fmt.Sprintf("%s matches no path: %s; begin it with '/'", brief(*p.Value), rest)
		}
		return fmt.Sprintf("%s matches no path: %s", brief(*p.Value), rest)
	}
	r, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", Host: "localhost", Path: *p.Value})
	if err == nil && r.PathForms&^admitted != 0 {
		return fmt.Sprintf("every request with the path %s is refused (400): it needs `paths.allow: [%s]`", brief(*p.Value), (r.PathForms &^ admitted).Names())
	}
	if err == nil || !strings.HasPrefix(*p.Value, "/") {
		return ""
	}
	return fmt.Sprintf("every request with the path %s is refused (400): %v", brief(*p.Value), err)
}

// earlierMatches are the matches of a policy that were added, by hostname and what
// they match.
type earlierMatches map[earlierKey]string

type earlierKey struct{ hostname, match string }

// add adds a match of a route. It returns an earlier one that is equal, if for each
// hostname of the route there is one.
func (e earlierMatches) add(route, number int, r *v1alpha1.Route) (equal string) {
	key := matchKey(&r.Matches[number])
	all := len(r.Hostnames) > 0
	for _, h := range r.Hostnames {
		k := earlierKey{string(h), key}
		before, is := e[k]
		if !is {
			e[k] = fmt.Sprintf("routes[%d].matches[%d]", route, number)
		}
		all = all && is
		equal = before
	}
	if !all {
		return ""
	}
	return equal
}

// matchKey is equal for matches that are equal: the order of conditions and the
// letter case of headers do not count.
func matchKey(m *gatewayv1.HTTPRouteMatch) string {
	var conditions []string
	for _, h := range m.Headers {
		conditions = append(conditions, fmt.Sprintf("h%q%q%q", authz.Lower(string(h.Name)), ptr.Deref(h.Type, gatewayv1.HeaderMatchExact), h.Value))
	}
	for _, q := range m.QueryParams {
		conditions = append(conditions, fmt.Sprintf("q%q%q%q", q.Name, ptr.Deref(q.Type, gatewayv1.QueryParamMatchExact), q.Value))
	}
	slices.Sort(conditions)
	kind, value := gatewayv1.PathMatchPathPrefix, "/"
	if m.Path != nil {
		kind, value = ptr.Deref(m.Path.Type, kind), ptr.Deref(m.Path.Value, value)
	}
	return fmt.Sprintf("%q%q%q", kind, value, ptr.Deref(m.Method, "")) + strings.Join(conditions, "")
}

// PathForms are the forms of a path that a policy admits.
func PathForms(p *v1alpha1.Paths) (out authz.PathForms) {
	if p == nil {
		return 0
	}
	for _, form := range p.Allow {
		switch form {
		case v1alpha1.PathFormEncodedSlash:
			out |= authz.EncodedSlash
		case v1alpha1.PathFormEmptySegment:
			out |= authz.EmptySegment
		case v1alpha1.PathFormEncodedPercent:
			out |= authz.EncodedPercent
		}
	}
	return out
}
