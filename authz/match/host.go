package match

import (
	"cmp"
	"iter"
	"slices"
	"strings"
)

// host holds the candidates of one hostname by path. Each list is in order of
// precedence.
type host struct {
	exact   map[string][]*candidate
	prefix  map[string][]*candidate // without final slash, "/" apart
	lengths []bool                  // lengths[n]: some prefix has n bytes. No other length is looked up
	root    []*candidate            // PathPrefix "/"
	regex   []*candidate
	early   bool // regex comes before prefixes
}

func (h *host) add(c *candidate) {
	switch {
	case c.path.regex != nil:
		h.regex = append(h.regex, c)
	case c.path.exact:
		if h.exact == nil {
			h.exact = map[string][]*candidate{}
		}
		h.exact[c.path.value] = append(h.exact[c.path.value], c)
	case c.path.value == "":
		h.root = append(h.root, c)
	default:
		if h.prefix == nil {
			h.prefix = map[string][]*candidate{}
		}
		h.prefix[c.path.value] = append(h.prefix[c.path.value], c)
		n := len(c.path.value)
		for len(h.lengths) <= n {
			h.lengths = append(h.lengths, false)
		}
		h.lengths[n] = true
	}
}

func (h *host) sort(order Options) {
	specific := bySpecificity
	if order.EnvoyGateway {
		specific = byCount
	}
	for _, list := range h.exact {
		slices.SortFunc(list, specific)
	}
	for _, list := range h.prefix {
		slices.SortFunc(list, specific)
	}
	slices.SortFunc(h.root, specific)
	if order.Regex == OldestFirst {
		slices.SortFunc(h.regex, func(a, b *candidate) int { return older(a, b) })
		return
	}
	h.early = order.Regex == LongestBeforePrefixes
	slices.SortFunc(h.regex, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(len(b.path.value), len(a.path.value)), specific(a, b))
	})
}

// bySpecificity orders candidates whose paths are equal.
func bySpecificity(a, b *candidate) int {
	return cmp.Or(
		compareTrue(a.method != "", b.method != ""),
		cmp.Compare(len(b.headers), len(a.headers)),
		cmp.Compare(len(b.query), len(a.query)),
		older(a, b),
	)
}

// byCount is the order of Envoy Gateway.
func byCount(a, b *candidate) int {
	return cmp.Or(
		compareTrue(a.path.slash, b.path.slash),
		cmp.Compare(len(b.headers)+b.methods(), len(a.headers)+a.methods()),
		cmp.Compare(exact(b.headers)+b.methods(), exact(a.headers)+a.methods()),
		cmp.Compare(len(b.query), len(a.query)),
		cmp.Compare(exact(b.query), exact(a.query)),
		older(a, b),
	)
}

// compareTrue puts true first.
func compareTrue(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func (c *candidate) methods() int {
	if c.method != "" {
		return 1
	}
	return 0
}

// exact counts the conditions without a regular expression.
func exact(list []condition) int {
	n := 0
	for i := range list {
		if list[i].regex == nil {
			n++
		}
	}
	return n
}

// walk tries every candidate that the path allows, in order of precedence, until
// the search is over.
func (h *host) walk(v *View, s *search) {
	path := v.Path
	// "*" and the absolute form are no paths: no prefix matches them.
	if !strings.HasPrefix(path, "/") {
		return
	}
	if h.exact != nil && s.try(v, h.exact[path]) {
		return
	}
	if h.early && s.try(v, h.regex) {
		return
	}
	for n := min(len(path), len(h.lengths)-1); n > 0; n-- {
		if h.lengths[n] && (n == len(path) || path[n] == '/') && s.try(v, h.prefix[path[:n]]) {
			return
		}
	}
	if s.try(v, h.root) {
		return
	}
	if !h.early {
		s.try(v, h.regex)
	}
}

// Within says whether a pattern covers every host that hostname covers.
// hostname is a host or a pattern itself.
func Within(hostname, pattern string) bool {
	if pattern == "*" || hostname == pattern {
		return true
	}
	suffix, wildcard := strings.CutPrefix(pattern, "*")
	return wildcard && hostname != "*" && strings.HasSuffix(hostname, suffix) && len(hostname) > len(suffix)
}

// Overlap says whether some host is covered by both patterns. Two patterns
// never overlap in part: one of them covers all that the other does.
func Overlap(a, b string) bool { return Within(a, b) || Within(b, a) }

// Covering yields hostname, a host or a pattern, and every pattern that covers
// all its hosts, the most specific pattern first.
func Covering(hostname string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(hostname) || hostname == "*" {
			return
		}
		for rest := strings.TrimPrefix(hostname, "*."); ; {
			_, after, more := strings.Cut(rest, ".")
			if !more {
				yield("*")
				return
			}
			if rest = after; !yield("*." + rest) {
				return
			}
		}
	}
}

// Closest finds the value of the most specific pattern that covers hostname, a
// host or a pattern. Unlike a loop over Covering it allocates nothing.
func Closest[V any](byPattern map[string]V, hostname string) (V, bool) {
	if len(byPattern) == 0 { // usual, and asked for every request
		var none V
		return none, false
	}
	if v, ok := byPattern[hostname]; ok {
		return v, true
	}
	for rest := hostname; ; {
		_, after, more := strings.Cut(rest, ".")
		if !more {
			v, ok := byPattern["*"]
			return v, ok
		}
		rest = after
		if v, ok := byPattern["*."+rest]; ok {
			return v, true
		}
	}
}

// CompareHostnames compares patterns that cover one host: it is positive if a
// is more specific. An exact hostname is more specific than a wildcard, a
// longer wildcard than a shorter one, and any of them than "".
func CompareHostnames(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(len(a), len(b))
	}
	return cmp.Or(cmp.Compare(wildcards(b), wildcards(a)), cmp.Compare(len(a), len(b)))
}

func wildcards(pattern string) int { return strings.Count(pattern, "*") }
