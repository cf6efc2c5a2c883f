package jwks

import (
	"cmp"
	"slices"
)

// Held are the keys that a set holds now, each once, by their ids: for people
// who look for a key that is not there. It never fetches and never waits.
func Held(s Set) []Key {
	if h, ok := s.(interface{ Held() []Key }); ok {
		return h.Held()
	}
	return nil
}

// Held gives [Held] the keys.
func (r *Remote) Held() []Key {
	if now := r.fresh(); now != nil {
		return now.Held()
	}
	return nil
}

// Held gives [Held] the keys.
func (x *index) Held() []Key {
	seen := map[string]bool{}
	var out []Key
	add := func(keys []Key) {
		for _, k := range keys {
			if at := k.ID + " " + k.Thumbprint; !seen[at] {
				seen[at] = true
				out = append(out, k)
			}
		}
	}
	for _, keys := range x.named {
		add(keys)
	}
	for _, keys := range x.fits {
		add(keys)
	}
	slices.SortFunc(out, func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Thumbprint, b.Thumbprint))
	})
	return out
}
