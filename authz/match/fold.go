package match

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agentauth-dev/agentauth/authz"
)

// Respelled returns the best entries for a request in the eyes of a server to which
// letter case does not matter in a path, or a final slash where there is an Exact
// path (Express, ASP.NET, Fiber). It returns nil where the entry that Lookup finds
// leads to the same outcome as one of them, and where Lookup gives none because
// it is late or ambiguous. late says that the request's time ended first.
func (x *Index) Respelled(host string, v View) (best []*Candidate, late bool) {
	h := x.find(host)
	if h == nil || !strings.HasPrefix(v.Path, "/") || h.spelled(v.Path, v.ExactCase) {
		return nil, false
	}
	return h.respelled(v, x.opts) // apart, so that what is usual allocates nothing
}

func (h *host) respelled(v View, opts Options) (best []*Candidate, late bool) {
	r := h.lookup(&v)
	if r.Ambiguous || r.Late {
		return nil, r.Late
	}
	v.late, v.folded = false, ""
	levels := h.slashed
	if !v.ExactCase {
		v.folded, levels = fold(v.Path), h.folded
	}
	for list := range levels(&v) {
		if best, late = h.best(&v, list, r.found, opts); late {
			return nil, true
		}
		if best != nil {
			break
		}
	}
	if slices.ContainsFunc(best, func(c *Candidate) bool { return sameOutcome(c, r.found) }) {
		return nil, false
	}
	return best, false
}

// spelled says whether no candidate of the host has another spelling of a path. It
// is quick, and true of most requests.
func (h *host) spelled(path string, exactCase bool) bool {
	switch {
	case h.exact.len() > 0 && (exactCase || len(path) > 1 && strings.HasSuffix(path, "/")):
		return false
	case exactCase:
		return true
	}
	return len(h.odd) == 0 && len(h.oddPrefix) == 0 && h.cased == 0 && !folds(path)
}

// maxEquals is how many entries of one specificity are looked at: a host may have
// thousands of spellings of one path. Beyond that only the entry that Lookup found
// counts.
const maxEquals = 64

// best are the first of some buckets that match, all whose conditions are of one
// specificity. found is what Lookup found.
func (h *host) best(v *View, list []bucket, found *Candidate, opts Options) (best []*Candidate, late bool) {
	regex := false
	for _, b := range list {
		var first *Candidate
		equals := 0
		for _, c := range b.live {
			if first != nil && (regex && opts.ofPolicies() || opts.rank(regex)(first, c) != 0) {
				break
			}
			if equals == maxEquals {
				if slices.Contains(b.live, found) && opts.rank(regex)(first, found) == 0 {
					best = append(best, found)
				}
				break
			}
			if c.asks() && v.Ctx != nil && v.Ctx.Err() != nil {
				return nil, true
			}
			v.owner = c.Owner()
			verdict := c.matches(v, b.serves(c, v.Method))
			if v.late {
				return nil, true
			}
			if verdict == no {
				continue
			}
			if first == nil {
				first, regex = c, c.path.regex != nil
			}
			best, equals = append(best, c), equals+1
		}
	}
	if len(best) < 2 {
		return best, false
	}
	rank := opts.rank(regex)
	slices.SortStableFunc(best, rank)
	for i, c := range best {
		if rank(best[0], c) != 0 {
			return best[:i], false
		}
	}
	return best, false
}

// slashed yields the buckets of Exact paths that differ in a final slash at most.
func (h *host) slashed(v *View) func(yield func([]bucket) bool) {
	return func(yield func([]bucket) bool) {
		path := withoutSlash(v.Path)
		yield([]bucket{h.exact.at(path), h.exact.at(path + "/")})
	}
}

// folded yields the buckets that the path fits without regard to letter case, those
// of one precedence together.
func (h *host) folded(v *View) func(yield func([]bucket) bool) {
	path := v.folded
	return func(yield func([]bucket) bool) {
		if h.exact.len() > 0 && !yield([]bucket{h.odd.bucket(&h.exact, withoutSlash(path))}) {
			return
		}
		if h.early && !yield([]bucket{h.regex}) {
			return
		}
		for n := min(len(path), max(h.longest(), len(h.oddLengths)-1)); n > 0; n-- {
			if (h.ofLength(n) || at(h.oddLengths, n) > 0) && (n == len(path) || path[n] == '/') &&
				!yield([]bucket{h.oddPrefix.bucket(&h.prefix, path[:n])}) {
				return
			}
		}
		if !yield([]bucket{h.root}) || h.early {
			return
		}
		yield([]bucket{h.regex})
	}
}

func at(list []int, n int) int {
	if n < len(list) {
		return list[n]
	}
	return 0
}

// withoutSlash cuts the final slash, but that of "/".
func withoutSlash(path string) string {
	if len(path) > 1 {
		return strings.TrimSuffix(path, "/")
	}
	return path
}

// folds says whether fold may change a path.
func folds(path string) bool {
	for i := range len(path) {
		if c := path[i]; c == '%' || c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			return true
		}
	}
	return false
}

// fold returns a path such that paths which differ in letter case fold to one. It
// decodes encoded characters beyond ASCII, and no others.
func fold(path string) string {
	if !folds(path) {
		return path
	}
	const hex = "0123456789abcdef"
	b := make([]byte, 0, len(path))
	for i := 0; i < len(path); {
		r, n, encoded := character(path[i:])
		switch {
		case r < utf8.RuneSelf && encoded:
			b = append(b, '%', hex[r>>4], hex[r&15])
		case r == utf8.RuneError:
			b = append(b, strings.ToLower(path[i:i+n])...)
		default:
			b = utf8.AppendRune(b, foldRune(r))
		}
		i += n
	}
	return string(b)
}

// character reads a character at the start of s, percent-encoded or not, and says
// how many bytes it is.
func character(s string) (r rune, n int, encoded bool) {
	if s[0] != '%' {
		r, n = utf8.DecodeRuneInString(s)
		return r, n, false
	}
	var bytes [utf8.UTFMax]byte
	got := 0
	for ; got < len(bytes); got++ {
		c, ok := authz.Unescape(s[min(3*got, len(s)):])
		if !ok {
			break
		}
		bytes[got] = c
	}
	if got == 0 {
		return '%', 1, false
	}
	r, n = utf8.DecodeRune(bytes[:got])
	return r, 3 * n, true
}

// foldRune is the same for all characters that are one without regard to case, also
// by way of capitals: some servers compare those, and a dotless i has the capital I.
func foldRune(r rune) rune {
	r = unicode.ToLower(unicode.ToUpper(r))
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return unicode.ToLower(least)
}
