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
	prefix buckets // without final slash, "/" apart
	root   bucket  // PathPrefix "/"
	early  bool    // regex comes before prefixes
	*rare          // never written to but by own
}

// rare is what few hosts have.
type rare struct {
	exact   buckets
	lengths []int // lengths[n]: how many prefixes have n bytes, where these are many
	regex   bucket

	// odd and oddPrefix have Exact paths, without a final slash, and prefixes. oddLengths
	// is as lengths.
	odd, oddPrefix spellings
	oddLengths     []int

	cased int // how many regular expressions tell letter case apart
}

// usual is what a host has that has nothing rare.
var usual = &rare{}

func (h *host) clone() *host {
	next := *h
	next.prefix = h.prefix.clone()
	if h.rare != usual {
		of := *h.rare
		of.exact, of.lengths = h.exact.clone(), slices.Clone(h.lengths)
		of.odd, of.oddPrefix, of.oddLengths = maps.Clone(h.odd), maps.Clone(h.oddPrefix), slices.Clone(h.oddLengths)
		next.rare = &of
	}
	return &next
}

// own is what is rare of a host that may be changed.
func (h *host) own() *rare {
	if h.rare == usual {
		h.rare = &rare{}
	}
	return h.rare
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
		of := h.own()
		of.regex, of.cased = b, 0
		for _, c := range b.live {
			if c.path.regex.folded != nil {
				of.cased++
			}
		}
	case 'e':
		h.own().exact.set(at.path, b)
	case '/':
		h.root = b
	default:
		n := h.prefix.len()
		h.prefix.set(at.path, b)
		h.measure(len(at.path), h.prefix.len()-n)
	}
}

// measure counts a prefix that came or went. Few prefixes are looked through instead.
func (h *host) measure(length, add int) {
	switch {
	case h.prefix.many == nil:
	case h.lengths == nil:
		for path := range h.prefix.many {
			h.own().lengths = count(h.lengths, len(path), 1)
		}
	default:
		h.rare.lengths = count(h.lengths, length, add)
	}
}

// longest is the length of the longest prefix, and ofLength says whether a prefix has
// so many bytes. No other length is looked up.
func (h *host) longest() int {
	if h.lengths == nil && len(h.prefix.few) > 0 {
		return len(h.prefix.few[0].path)
	}
	return len(h.lengths) - 1
}

func (h *host) ofLength(n int) bool {
	return at(h.lengths, n) > 0 || slices.ContainsFunc(h.prefix.few, func(p pathBucket) bool { return len(p.path) == n })
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
	for i := range h.prefix.few { // the longest first
		p := &h.prefix.few[i]
		if strings.HasPrefix(path, p.path) && (len(p.path) == len(path) || path[len(p.path)] == '/') && s.try(v, p.bucket) {
			return
		}
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
