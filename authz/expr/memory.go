package expr

import (
	"unicode/utf8"

	"cel.dev/cel-go/common/types/ref"
)

// memory is what one evaluation remembers of its request, so that a loop does
// each thing that takes as long as the request is only once. A nil memory
// remembers nothing.
type cache struct {
	valid map[string]bool
	// lists are by their first entries.
	lists   map[*string]error
	headers *names
	query   *names
	// parameters is the query by name; nil until it is asked for.
	parameters map[string]parameter
}

// names are the keys of a map in order, or why they cannot be read.
type names struct {
	keys []ref.Val
	err  error
}

// worthRemembering is the length from which looking a text up is faster than
// reading it again, in bytes.
const minCachedLength = 64

// isUTF8 is utf8.ValidString.
func (m *cache) isUTF8(s string) bool {
	if m == nil || len(s) < minCachedLength {
		return utf8.ValidString(s)
	}
	valid, known := m.valid[s]
	if !known {
		if m.valid == nil {
			m.valid = map[string]bool{}
		}
		valid = utf8.ValidString(s)
		m.valid[s] = valid
	}
	return valid
}

// readable says why a list of texts cannot be read.
func (m *cache) readable(path string, list []string) error {
	if m == nil || len(list) == 0 {
		return readable(path, list)
	}
	err, known := m.lists[&list[0]]
	if !known {
		if m.lists == nil {
			m.lists = map[*string]error{}
		}
		err = readable(path, list)
		m.lists[&list[0]] = err
	}
	return err
}

func readable(path string, list []string) error {
	for _, s := range list {
		if len(s) > MaxEntry {
			return within("an entry of "+path, len(s), MaxEntry)
		}
		if !utf8.ValidString(s) {
			return failure(path + " has an entry that is no UTF-8")
		}
	}
	return nil
}

// remembering is an Input together with what an evaluation of it remembers.
type cachedInput struct {
	in    Input
	cache cache
}

// remember copies an Input for one evaluation.
func withCache(in *Input) *Input {
	r := &cachedInput{in: *in}
	r.in.cache = &r.cache
	return &r.in
}
