package match

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
)

// host holds the candidates of one hostname by path.
type host struct {
	exact   buckets
	prefix  buckets // without final slash, "/" apart
	lengths []int   // lengths[n]: how many prefixes have n bytes. No other length is looked up
	root    bucket  // PathPrefix "/"
	regex   bucket
	early   bool // regex comes before prefixes

	// odd and oddPrefix have Exact paths, without a final slash, and prefixes. oddLengths
	// is as lengths.
	odd, oddPrefix spellings
	oddLengths     []int
	// changedExact and changedPrefix have what an update changed so far.
	changedExact, changedPrefix map[string][]string

	cased int // how many regular expressions tell letter case apart
}

func (h *host) clone() *host {
	next := *h
	next.exact, next.prefix, next.lengths = h.exact.clone(), h.prefix.clone(), slices.Clone(h.lengths)
	next.odd, next.oddPrefix, next.oddLengths = maps.Clone(h.odd), maps.Clone(h.oddPrefix), slices.Clone(h.oddLengths)
	return &next
}

func (h *host) empty() bool {
	return h.exact.len() == 0 && h.prefix.len() == 0 && len(h.root.live) == 0 && len(h.regex.live) == 0
}

func (h *host) bucket(at place) bucket {
	switch at.kind {
	case 'r':
		return h.regex
	case 'e':
		return h.exact.at(at.path)
	case '/':
		return h.root
	}
	return h.prefix.at(at.path)
}

func (h *host) set(at place, b bucket) {
	switch at.kind {
	case 'r':
		h.regex, h.cased = b, 0
		for _, c := range b.live {
			if c.path.regex.folded != nil {
				h.cased++
			}
		}
	case 'e':
		h.exact.set(at.path, b)
		h.changedExact = change(h.changedExact, withoutSlash(fold(at.path)), at.path)
	case '/':
		h.root = b
	default:
		n := h.prefix.len()
		h.prefix.set(at.path, b)
		h.lengths = count(h.lengths, len(at.path), h.prefix.len()-n)
		h.changedPrefix = change(h.changedPrefix, fold(at.path), at.path)
	}
}

// count adds to the number of things of a length. The last number of the list is
// never 0.
func count(lengths []int, length, add int) []int {
	for len(lengths) <= length {
		lengths = append(lengths, 0)
	}
	lengths[length] += add
	for len(lengths) > 0 && lengths[len(lengths)-1] == 0 {
		lengths = lengths[:len(lengths)-1]
	}
	return lengths
}

// walk tries every candidate that the path allows, in order of precedence, until
// the search is over.
func (h *host) walk(v *View, s *search) {
	path := v.Path
	// "*" and the absolute form are no paths: no prefix matches them.
	if !strings.HasPrefix(path, "/") {
		return
	}
	if h.exact.len() > 0 && s.try(v, h.exact.at(path)) {
		return
	}
	if h.early && s.try(v, h.regex) {
		return
	}
	for n := min(len(path), len(h.lengths)-1); n > 0; n-- {
		if h.lengths[n] > 0 && (n == len(path) || path[n] == '/') && s.try(v, h.prefix.at(path[:n])) {
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
