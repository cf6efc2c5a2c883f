package match

import (
	"cmp"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// The model is the rules of the package comment read aloud: look at every entry
// of the request's most specific host, sort what is left, take the first. It
// shares no code with the index but the types and Variants.

func modelLookupAll(entries []Entry, opts Options, host string, v View) int {
	first := modelLookup(entries, opts, host, v)
	for _, p := range Variants(v.Path) {
		v.Path = p
		if other := modelLookup(entries, opts, host, v); !modelSame(entries, first, other) {
			return ambiguous
		}
	}
	return first
}

func modelLookup(entries []Entry, opts Options, host string, v View) int {
	best := ""
	for _, e := range entries {
		if modelHostMatches(e.Hostname, host) && modelHostRank(e.Hostname) > modelHostRank(best) {
			best = e.Hostname
		}
	}
	if best == "" {
		return unknown
	}
	var order []int
	for i, e := range entries {
		if e.Hostname == best {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return modelCompare(entries, opts, a, b) })

	possible := []int{}
	settled := false
	for _, i := range order {
		sure, maybe := modelMatches(entries[i].Match, v)
		if m := entries[i].Match.Method; opts.Regex == OldestFirst && m != nil && *m == gatewayv1.HTTPMethodGet && v.Method == "HEAD" && !modelHead(entries, opts, i) {
			asGet := v
			asGet.Method = "GET"
			sure, maybe = modelMatches(entries[i].Match, asGet)
		}
		if maybe {
			possible = append(possible, i)
		}
		if sure {
			settled = true
			break
		}
	}
	if !settled {
		possible = append(possible, none)
	}
	for _, i := range possible {
		if !modelSame(entries, possible[0], i) {
			return ambiguous
		}
	}
	return possible[len(possible)-1]
}

// modelHead says whether some entry is equal but for HEAD.
func modelHead(entries []Entry, opts Options, of int) bool {
	head := entries[of]
	method := gatewayv1.HTTPMethodHead
	head.Match.Method = &method
	return slices.ContainsFunc(entries, func(e Entry) bool { return modelEqual(e, head, opts) })
}

func modelSame(entries []Entry, a, b int) bool {
	if a < 0 || b < 0 {
		return a == b
	}
	return entries[a].Owner == entries[b].Owner && entries[a].Rule == entries[b].Rule
}

func modelHostMatches(pattern, host string) bool {
	suffix, wild := strings.CutPrefix(pattern, "*")
	if !wild {
		return pattern == host
	}
	return strings.HasSuffix(host, suffix) && (suffix == "" || host != suffix)
}

func modelHostRank(pattern string) int {
	switch {
	case pattern == "":
		return 0
	case strings.HasPrefix(pattern, "*"):
		return len(pattern)
	}
	return 1000
}

func modelPath(m gatewayv1.HTTPRouteMatch) (kind gatewayv1.PathMatchType, value string) {
	kind, value = gatewayv1.PathMatchPathPrefix, "/"
	if m.Path != nil {
		kind, value = *m.Path.Type, *m.Path.Value
	}
	if kind == gatewayv1.PathMatchPathPrefix && value != "/" {
		value = strings.TrimSuffix(value, "/")
	}
	return kind, value
}

func modelCompare(entries []Entry, opts Options, a, b int) int {
	x, y := entries[a], entries[b]
	rank := map[gatewayv1.PathMatchType]int{gatewayv1.PathMatchExact: 0, gatewayv1.PathMatchPathPrefix: 2, gatewayv1.PathMatchRegularExpression: 3}
	if opts.Regex != LongestFirst {
		rank[gatewayv1.PathMatchRegularExpression] = 1
	}
	xKind, xPath := modelPath(x.Match)
	yKind, yPath := modelPath(y.Match)
	age := cmp.Or(cmp.Compare(x.Owner, y.Owner), cmp.Compare(a, b))
	if c := cmp.Compare(rank[xKind], rank[yKind]); c != 0 {
		return c
	}
	if xKind == gatewayv1.PathMatchRegularExpression && opts.Regex == OldestFirst {
		return age
	}
	methods := func(m gatewayv1.HTTPRouteMatch) int {
		if m.Method != nil {
			return 1
		}
		return 0
	}
	if opts.EnvoyGateway {
		slash := func(m gatewayv1.HTTPRouteMatch) int { // what modelPath cut
			_, value := modelPath(m)
			if m.Path == nil {
				return 0
			}
			return len(*m.Path.Value) - len(value)
		}
		exact := func(conditions map[string]string) (n int) {
			for _, c := range conditions {
				if c[0] == '=' {
					n++
				}
			}
			return n
		}
		return cmp.Or(
			-cmp.Compare(len(xPath)+slash(x.Match), len(yPath)+slash(y.Match)),
			-cmp.Compare(methods(x.Match)+len(modelHeaders(x.Match)), methods(y.Match)+len(modelHeaders(y.Match))),
			-cmp.Compare(methods(x.Match)+exact(modelHeaders(x.Match)), methods(y.Match)+exact(modelHeaders(y.Match))),
			-cmp.Compare(len(modelQuery(x.Match)), len(modelQuery(y.Match))),
			-cmp.Compare(exact(modelQuery(x.Match)), exact(modelQuery(y.Match))),
			age,
		)
	}
	return cmp.Or(
		-cmp.Compare(len(xPath), len(yPath)),
		-cmp.Compare(methods(x.Match), methods(y.Match)),
		-cmp.Compare(len(modelHeaders(x.Match)), len(modelHeaders(y.Match))),
		-cmp.Compare(len(modelQuery(x.Match)), len(modelQuery(y.Match))),
		age,
	)
}

// modelHeaders and modelQuery give "=value" or "~pattern" by name.
func modelHeaders(m gatewayv1.HTTPRouteMatch) map[string]string {
	out := map[string]string{}
	for _, h := range m.Headers {
		if name := strings.ToLower(string(h.Name)); out[name] == "" {
			out[name] = "=" + h.Value
			if h.Type != nil && *h.Type == gatewayv1.HeaderMatchRegularExpression {
				out[name] = "~" + h.Value
			}
		}
	}
	return out
}

func modelQuery(m gatewayv1.HTTPRouteMatch) map[string]string {
	out := map[string]string{}
	for _, q := range m.QueryParams {
		if name := string(q.Name); out[name] == "" {
			out[name] = "=" + q.Value
			if q.Type != nil && *q.Type == gatewayv1.QueryParamMatchRegularExpression {
				out[name] = "~" + q.Value
			}
		}
	}
	return out
}

func modelValue(condition, value string) bool {
	if condition[0] == '~' {
		return regexp.MustCompile(`\A(?:` + condition[1:] + `)\z`).MatchString(value)
	}
	return condition[1:] == value
}

// modelMatches says whether m matches under every reading of the query, and
// under some.
func modelMatches(m gatewayv1.HTTPRouteMatch, v View) (sure, maybe bool) {
	kind, value := modelPath(m)
	switch kind {
	case gatewayv1.PathMatchExact:
		sure = v.Path == value
	case gatewayv1.PathMatchPathPrefix:
		sure = value == "/" || v.Path == value || strings.HasPrefix(v.Path, value+"/")
	case gatewayv1.PathMatchRegularExpression:
		sure = modelValue("~"+value, v.Path)
	}
	sure = sure && strings.HasPrefix(v.Path, "/") && (m.Method == nil || string(*m.Method) == v.Method)
	for name, condition := range modelHeaders(m) {
		got := v.Headers.Read(name)
		sure = sure && got.Came && modelValue(condition, got.Value)
	}
	maybe = sure
	for name, condition := range modelQuery(m) {
		answers := modelAnswers(name, condition, v.Query)
		sure = sure && !slices.Contains(answers, false)
		maybe = maybe && slices.Contains(answers, true)
	}
	return sure, maybe
}

// modelAnswers are those of readers who decode or not, and take any occurrence
// of the name.
func modelAnswers(name, condition, query string) []bool {
	var raw, decoded []bool
	for _, pair := range strings.Split(query, "&") {
		n, value, _ := strings.Cut(pair, "=")
		if query == "" {
			break
		}
		if n == name {
			raw = append(raw, modelValue(condition, value))
		}
		plainName, err1 := url.QueryUnescape(n)
		plainValue, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			panic("the fuzz vocabulary has no malformed encoding")
		}
		if n == name || plainName == name {
			decoded = append(decoded, modelValue(condition, plainValue))
		}
	}
	if raw == nil {
		raw = []bool{false}
	}
	if decoded == nil {
		decoded = []bool{false}
	}
	return append(raw, decoded...)
}

// modelConflicts compares each with each.
func modelConflicts(entries []Entry, opts Options) []Conflict {
	order := make([]int, len(entries))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(entries[a].Owner, entries[b].Owner) })
	var conflicts []Conflict
	for n, loser := range order {
		for _, winner := range order[:n] {
			if modelEqual(entries[winner], entries[loser], opts) {
				if entries[winner].Owner != entries[loser].Owner {
					conflicts = append(conflicts, Conflict{Winner: winner, Loser: loser})
				}
				break
			}
		}
	}
	return conflicts
}

func modelEqual(a, b Entry, opts Options) bool {
	method := func(e Entry) gatewayv1.HTTPMethod {
		if e.Match.Method == nil {
			return ""
		}
		return *e.Match.Method
	}
	aKind, aPath := modelPath(a.Match)
	bKind, bPath := modelPath(b.Match)
	if opts.EnvoyGateway && a.Match.Path != nil && b.Match.Path != nil {
		aPath, bPath = *a.Match.Path.Value, *b.Match.Path.Value
	}
	return a.Hostname == b.Hostname && aKind == bKind && aPath == bPath && method(a) == method(b) &&
		reflect.DeepEqual(modelHeaders(a.Match), modelHeaders(b.Match)) &&
		reflect.DeepEqual(modelQuery(a.Match), modelQuery(b.Match))
}
