package match

import (
	"iter"
	"regexp/syntax"
	"slices"
	"strings"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Sample is a request that an entry matches.
type Sample struct {
	Host, Method, Path, Query string
	Headers                   []Field
}

// Field is a header.
type Field struct{ Name, Value string }

// sampleName is what no entry is about, as far as that is up to us.
const sampleName = "agentauth-sample"

// variations is how many texts of a regular expression are tried.
const variations = 8

// SampleHost is a host that a pattern covers, for a wildcard one that hardly any
// other pattern covers.
func SampleHost(pattern string) string {
	switch suffix, wildcard := strings.CutPrefix(pattern, "*"); {
	case pattern == "*":
		return sampleName + ".invalid"
	case wildcard:
		return sampleName + suffix
	}
	return pattern
}

// Samples yields requests for a host that a match matches: the one that fewest
// other matches match first. There may be none, of a regular expression that no
// text was found for.
func Samples(host string, m gatewayv1.HTTPRouteMatch) iter.Seq[Sample] {
	return func(yield func(Sample) bool) {
		// No match names this method, so a request with it is of matches for all.
		s := Sample{Host: host, Method: string(ptr.Deref(m.Method, "PROPFIND"))}
		for n := range variations {
			s.Headers, s.Query = nil, ""
			good := true
			for i, h := range m.Headers {
				if slices.ContainsFunc(m.Headers[:i], func(o gatewayv1.HTTPHeaderMatch) bool { return strings.EqualFold(string(o.Name), string(h.Name)) }) {
					continue
				}
				value, ok := sampleValue(string(ptr.Deref(h.Type, gatewayv1.HeaderMatchExact)), h.Value, n)
				s.Headers, good = append(s.Headers, Field{strings.ToLower(string(h.Name)), value}), good && ok
			}
			for i, q := range m.QueryParams {
				if slices.ContainsFunc(m.QueryParams[:i], func(o gatewayv1.HTTPQueryParamMatch) bool { return o.Name == q.Name }) {
					continue
				}
				value, ok := sampleValue(string(ptr.Deref(q.Type, gatewayv1.QueryParamMatchExact)), q.Value, n)
				s.Query, good = s.Query+"&"+string(q.Name)+"="+value, good && ok
			}
			s.Query = strings.TrimPrefix(s.Query, "&")
			paths := samplePaths(m.Path, n)
			for _, s.Path = range paths {
				if good && !yield(s) {
					return
				}
			}
			if !hasRegex(m) {
				return
			}
		}
	}
}

// Both are matches for requests that two matches match. Not every request that one
// matches need be matched by the two: who asks finds out.
func Both(a, b gatewayv1.HTTPRouteMatch) []gatewayv1.HTTPRouteMatch {
	both := a
	both.Headers = append(slices.Clip(a.Headers), b.Headers...)
	both.QueryParams = append(slices.Clip(a.QueryParams), b.QueryParams...)
	if both.Method == nil {
		both.Method = b.Method
	}
	other := both
	other.Path = b.Path
	return []gatewayv1.HTTPRouteMatch{both, other}
}

func hasRegex(m gatewayv1.HTTPRouteMatch) bool {
	regex := m.Path != nil && ptr.Deref(m.Path.Type, "") == gatewayv1.PathMatchRegularExpression
	for _, h := range m.Headers {
		regex = regex || ptr.Deref(h.Type, "") == gatewayv1.HeaderMatchRegularExpression
	}
	for _, q := range m.QueryParams {
		regex = regex || ptr.Deref(q.Type, "") == gatewayv1.QueryParamMatchRegularExpression
	}
	return regex
}

func samplePaths(m *gatewayv1.HTTPPathMatch, n int) []string {
	kind, value := gatewayv1.PathMatchPathPrefix, "/"
	if m != nil {
		kind, value = ptr.Deref(m.Type, kind), ptr.Deref(m.Value, value)
	}
	switch kind {
	case gatewayv1.PathMatchExact:
		return []string{value}
	case gatewayv1.PathMatchRegularExpression:
		text, ok := sampleText(value, n, "/")
		if !ok {
			return nil
		}
		return []string{text}
	case gatewayv1.PathMatchPathPrefix:
	}
	// Two, since a regular expression may have the one by its first letter.
	below := strings.TrimSuffix(value, "/") + "/"
	return []string{below + sampleName, below + "0-" + sampleName, value}
}

// sampleValue is a value of a header or query parameter.
func sampleValue(kind, value string, n int) (string, bool) {
	if kind != string(gatewayv1.HeaderMatchRegularExpression) {
		return value, true
	}
	return sampleText(value, n, "a")
}

// sampleText is one of the texts that a regular expression matches. It begins as
// start does, if it may.
func sampleText(pattern string, n int, start string) (string, bool) {
	re, err := shared.compile(pattern)
	if err != nil {
		return "", false
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	write(&b, tree, n)
	text := b.String()
	for _, t := range []string{text, start + text, start + strings.TrimPrefix(text, "a")} {
		if strings.HasPrefix(t, start) && re.regex.MatchString(t) {
			return t, true
		}
	}
	return text, start != "/" && re.regex.MatchString(text)
}

// write writes a text that a regular expression matches, another one for each n.
func write(b *strings.Builder, re *syntax.Regexp, n int) {
	times := 1
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
		return
	case syntax.OpCharClass:
		b.WriteRune(oneOf(re.Rune, n))
		return
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
		return
	case syntax.OpAlternate:
		write(b, re.Sub[n%len(re.Sub)], n)
		return
	case syntax.OpStar, syntax.OpQuest:
		times = n % 2
	case syntax.OpRepeat:
		if times = re.Min; re.Min == 0 {
			times = n % 2
		}
	default: // written as its parts are
	}
	for range times {
		for _, sub := range re.Sub {
			write(b, sub, n)
		}
	}
}

// oneOf is a rune of a class, a plain one if there is any.
func oneOf(ranges []rune, n int) rune {
	plain := []rune("a0b1-_Az")
	for i := range plain {
		r := plain[(i+n)%len(plain)]
		for j := 0; j+1 < len(ranges); j += 2 {
			if ranges[j] <= r && r <= ranges[j+1] {
				return r
			}
		}
	}
	if len(ranges) == 0 {
		return 0
	}
	for j := 0; j+1 < len(ranges); j += 2 {
		if r := max(ranges[j], '!'); r <= ranges[j+1] {
			return r
		}
	}
	return ranges[0]
}
