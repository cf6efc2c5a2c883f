package match

import (
	"encoding/binary"
	"strings"
)

// Candidate is an entry, ready for an [Index]: see [Prepare]. It never changes.
type Candidate struct {
	entry, owner, rule int32
	// nanoseconds and seconds are when the owner was made.
	nanoseconds int32
	// conditions are nothing if the candidate has none but a plain path. Then a lookup
	// reads no second line of memory, which is most of its time among 100,000
	// candidates.
	*conditions
	path path

	seconds         int64
	hostname        string
	namespace, name string // of the owner
}

// conditions are those of a candidate beside its path.
type conditions struct {
	method  string      // "" for any
	headers []condition // by name, in lower case, each name once
	query   []condition // by name, each name once
}

// nothing are the conditions of a candidate that has none.
var nothing = &conditions{}

// asks says whether the candidate has conditions on anything but a plain path.
func (c *Candidate) asks() bool { return c.conditions != nothing || c.path.regex != nil }

// Owner is the owner of the entry.
func (c *Candidate) Owner() int { return int(c.owner) }

// Entry is the number of the entry in the list that it was prepared from.
func (c *Candidate) Entry() int { return int(c.entry) }

// Hostname is the hostname of the entry.
func (c *Candidate) Hostname() string { return c.hostname }

// path is an Exact or RegularExpression path, else a prefix without its final
// slash ("" for "/").
type path struct {
	value string
	exact bool
	slash bool     // the prefix had a final slash
	regex *program // matches the whole path
}

// MayMatch says whether the candidate may match some request with a path.
func (c *Candidate) MayMatch(path string) bool {
	p := &c.path
	return p.regex != nil || path == p.value || !p.exact && strings.HasPrefix(path, p.value) && path[len(p.value)] == '/'
}

// condition requires one named value to be equal, or to match as a whole.
type condition struct {
	name  string
	value string // the pattern, if there is a regex
	regex *program
}

func (c *condition) holds(v *View, value string) bool {
	if c.regex != nil {
		return c.regex.holds(v, value)
	}
	return c.value == value
}

// verdict is the result of a condition. It is maybe if readers of the query or of a
// header differ, or if a value is too long to be matched.
type verdict int

const (
	no verdict = iota
	maybe
	yes
)

// matches evaluates all conditions but an Exact or PathPrefix path, which the
// caller has looked up. The cheap conditions come first. serves is what its
// bucket says of the method.
func (c *Candidate) matches(v *View, serves bool) verdict {
	if !c.asks() {
		return yes
	}
	if !serves {
		return no
	}
	result := yes
	for i := range c.headers {
		h := &c.headers[i]
		if v.Headers == nil {
			return no
		}
		if v.Partial {
			result, v.undecided = maybe, h.name
			continue
		}
		came := v.Headers.Read(h.name)
		if came.Undecided() || came.Came && h.regex != nil && len(came.Value) > maxText {
			result, v.undecided = maybe, h.name
			continue
		}
		if !came.Came || !h.holds(v, came.Value) {
			return no
		}
	}
	switch {
	case c.path.regex == nil:
	case len(v.Path) > maxText:
		result = maybe
	case !c.path.regex.holds(v, v.Path) && (v.late || !c.path.regex.holdsFolded(v)):
		return no
	}
	for i := range c.query {
		result = min(result, c.query[i].inQuery(v))
	}
	return result
}

// appendKey appends a key that is equal for equal entries of a hostname only: it
// writes every string with its length.
func (c *Candidate) appendKey(b []byte, order Options) []byte {
	switch {
	case c.path.regex != nil:
		b = append(b, 'r')
	case c.path.exact:
		b = append(b, 'e')
	case c.path.slash && order.EnvoyGateway:
		b = append(b, 's')
	default:
		b = append(b, 'p')
	}
	b = appendString(b, c.path.value)
	b = appendString(b, c.method)
	b = appendConditions(b, c.headers)
	return appendConditions(b, c.query)
}

func appendConditions(b []byte, list []condition) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, c := range list {
		kind := byte('e')
		if c.regex != nil {
			kind = 'r'
		}
		b = append(b, kind)
		b = appendString(b, c.name)
		b = appendString(b, c.value)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
