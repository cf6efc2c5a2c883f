package match

import (
	"cmp"
	"iter"
	"strings"
)

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
