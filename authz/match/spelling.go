package match

import (
	"maps"
	"slices"
)

// spellings has the candidates of paths that fold to one, by what they fold to, where
// some path is not spelled so.
type spellings map[string]spelling

type spelling struct {
	odd []string // the paths that are not spelled as they fold, in order
	all bucket   // the candidates of all spellings, in order of precedence
}

// bucket has the candidates of all paths that fold to one.
func (s spellings) bucket(all *buckets, folded string) bucket {
	if odd, ok := s[folded]; ok {
		return odd.all
	}
	return all.at(folded)
}

// renew makes the spellings of one folded path anew after a change of some paths.
func (s spellings) renew(all *buckets, folded string, changed []string, opts Options) spellings {
	odd := slices.Concat(s[folded].odd, changed)
	slices.Sort(odd)
	odd = slices.DeleteFunc(slices.Compact(odd), func(path string) bool {
		return path == folded || len(all.at(path).live) == 0
	})
	if len(odd) == 0 {
		delete(s, folded)
		return s
	}
	if s == nil {
		s = spellings{}
	}
	next := spelling{odd: odd}
	for _, path := range append([]string{folded}, odd...) {
		b := all.at(path)
		next.all.live = append(next.all.live, b.live...)
		if next.all.head == nil {
			next.all.head = maps.Clone(b.head)
		} else {
			maps.Copy(next.all.head, b.head)
		}
	}
	slices.SortFunc(next.all.live, opts.precedence(false))
	s[folded] = next
	return s
}

// touched are the Exact paths and prefixes of a host that an update changed, by what
// they fold to.
type touched struct{ exact, prefix map[string][]string }

func (r *touched) note(at place) {
	switch at.kind {
	case 'e':
		r.exact = change(r.exact, withoutSlash(fold(at.path)), at.path)
	case 'p':
		r.prefix = change(r.prefix, fold(at.path), at.path)
	}
}

// respell makes the spellings anew of all paths that an update changed. Each is made
// once in an update, however many spellings it has.
func (h *host) respell(changed *touched, opts Options) {
	for folded, paths := range changed.exact {
		if odd := h.odd.renew(&h.exact, folded, paths, opts); odd != nil {
			h.own().odd = odd
		}
	}
	for folded, paths := range changed.prefix {
		n := len(h.oddPrefix)
		if odd := h.oddPrefix.renew(&h.prefix, folded, paths, opts); odd != nil {
			of := h.own()
			of.oddPrefix, of.oddLengths = odd, count(of.oddLengths, len(folded), len(odd)-n)
		}
	}
}

// change notes a path whose spellings are to be made anew.
func change(changed map[string][]string, folded, path string) map[string][]string {
	if changed == nil {
		changed = map[string][]string{}
	}
	changed[folded] = append(changed[folded], path)
	return changed
}
