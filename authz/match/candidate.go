package match

import (
	"encoding/binary"
	"regexp"
)

// candidate is an entry made ready for matching.
type candidate struct {
	entry, owner, rule int
	// asks is false where the path says it all. It spares the usual candidate a
	// second line of memory, which is most of a lookup's time among 100,000.
	asks bool

	path    path
	method  string      // "" for any
	headers []condition // by name, in lower case, each name once
	query   []condition // by name, each name once
}

// path is an Exact or RegularExpression path, else a prefix without its final
// slash ("" for "/").
type path struct {
	value string
	exact bool
	slash bool           // it had one
	regex *regexp.Regexp // whole value
}

// condition asks one named value to be equal, or to match as a whole.
type condition struct {
	name  string
	value string // also the pattern, where there is a regex
	regex *regexp.Regexp
}

func (c *condition) holds(value string) bool {
	if c.regex != nil {
		return c.regex.MatchString(value)
	}
	return c.value == value
}

// verdict on a condition. It depends on how the query is read if it is maybe.
type verdict int

const (
	no verdict = iota
	maybe
	yes
)

// matches assumes that the path is right, unless it is a regular expression.
// The cheap questions come first.
func (c *candidate) matches(v *View) verdict {
	if !c.asks {
		return yes
	}
	if c.method != "" && c.method != v.Method {
		return no
	}
	result := yes
	for i := range c.headers {
		h := &c.headers[i]
		if v.Headers == nil {
			return no
		}
		value, ok := v.Headers.Header(h.name)
		if ok && h.regex != nil && len(value) > maxText {
			result = maybe
			continue
		}
		if !ok || !h.holds(value) {
			return no
		}
	}
	switch {
	case c.path.regex == nil:
	case len(v.Path) > maxText:
		result = maybe
	case !c.path.regex.MatchString(v.Path):
		return no
	}
	for i := range c.query {
		result = min(result, c.query[i].inQuery(v.Query))
	}
	return result
}

// appendKey appends what makes two entries equal. Every string goes with its
// length, so that no two different entries can run together to one key.
func (c *candidate) appendKey(b []byte, hostname string, order Options) []byte {
	b = appendString(b, hostname)
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
