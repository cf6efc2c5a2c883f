package match

import (
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// compiler makes candidates. It compiles each regular expression once.
type compiler map[string]*program

// prepare returns the candidate of an entry, without the number of the entry. A
// candidate with problems is of no use.
func (k compiler) prepare(e Entry) (Candidate, Problems) {
	var p Problems
	checkHostname(&p, e.Hostname)
	at := e.Age.Created
	c := Candidate{
		owner: int32(e.Owner), rule: int32(e.Rule), // #nosec G115 -- far fewer
		seconds: at.Unix(), nanoseconds: int32(at.Nanosecond()), // #nosec G115 -- below 1e9
		hostname: e.Hostname, namespace: e.Age.Namespace, name: e.Age.Name, conditions: nothing,
	}
	c.path = k.path(&p, e.Match.Path)
	var with conditions
	if e.Match.Method != nil {
		checkMethod(&p, *e.Match.Method)
		with.method = string(*e.Match.Method)
	}
	with.headers = k.headers(&p, e.Match.Headers)
	with.query = k.query(&p, e.Match.QueryParams)
	if with.method != "" || with.headers != nil || with.query != nil {
		c.conditions = &with
	}
	return c, p
}

func (k compiler) path(p *Problems, m *gatewayv1.HTTPPathMatch) path {
	kind, value := gatewayv1.PathMatchPathPrefix, "/"
	if m != nil && m.Type != nil {
		kind = *m.Type
	}
	if m != nil && m.Value != nil {
		value = *m.Value
	}
	switch kind {
	case gatewayv1.PathMatchExact:
		checkPath(p, value)
		return path{value: value, exact: true}
	case gatewayv1.PathMatchPathPrefix:
		checkPath(p, value)
		prefix, slash := strings.CutSuffix(value, "/")
		return path{value: prefix, slash: slash && prefix != ""}
	case gatewayv1.PathMatchRegularExpression:
		return path{value: value, regex: k.regex(p, "match.path.value", value)}
	}
	p.add("match.path.type", "expected Exact, PathPrefix or RegularExpression, got %q", kind)
	return path{}
}

// headers keeps the first condition of each name, as Gateway API demands; query
// does too.
func (k compiler) headers(p *Problems, list []gatewayv1.HTTPHeaderMatch) []condition {
	checkCount(p, "match.headers", len(list))
	var out []condition
	for i, h := range list {
		field := fmt.Sprintf("match.headers[%d]", i)
		checkName(p, field+".name", string(h.Name))
		checkLength(p, field+".value", h.Value, maxHeader)
		c := condition{name: strings.ToLower(string(h.Name)), value: h.Value}
		if h.Type != nil {
			c.regex = k.valueRegex(p, field, string(*h.Type), h.Value)
		}
		out = appendFirst(out, c)
	}
	return byName(out)
}

func (k compiler) query(p *Problems, list []gatewayv1.HTTPQueryParamMatch) []condition {
	checkCount(p, "match.queryParams", len(list))
	var out []condition
	for i, q := range list {
		field := fmt.Sprintf("match.queryParams[%d]", i)
		checkName(p, field+".name", string(q.Name))
		checkLength(p, field+".value", q.Value, maxQuery)
		c := condition{name: string(q.Name), value: q.Value}
		if q.Type != nil {
			c.regex = k.valueRegex(p, field, string(*q.Type), q.Value)
		}
		out = appendFirst(out, c)
	}
	return byName(out)
}

// valueRegex is nil for an Exact value.
func (k compiler) valueRegex(p *Problems, field, kind, value string) *program {
	switch kind {
	case string(gatewayv1.HeaderMatchExact):
	case string(gatewayv1.HeaderMatchRegularExpression):
		return k.regex(p, field+".value", value)
	default:
		p.add(field+".type", "expected Exact or RegularExpression, got %q", kind)
	}
	return nil
}

func (k compiler) regex(p *Problems, field, pattern string) *program {
	if re := k[pattern]; re != nil {
		return re
	}
	re, err := shared.compile(pattern)
	if err != nil {
		p.add(field, "%v", err)
		return nil
	}
	k[pattern] = re
	return re
}

func checkCount(p *Problems, field string, n int) {
	if n > maxConditions {
		p.add(field, "expected at most %d, got %d", maxConditions, n)
	}
}

func appendFirst(list []condition, c condition) []condition {
	if slices.ContainsFunc(list, func(other condition) bool { return other.name == c.name }) {
		return list
	}
	return append(list, c)
}

func byName(list []condition) []condition {
	slices.SortFunc(list, func(a, b condition) int { return strings.Compare(a.name, b.name) })
	return list
}
