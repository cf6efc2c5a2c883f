package authz

import (
	"iter"
	"strings"
)

// Query is the query of a request, in its order.
type Query []Param

// Param is one parameter as sent and as decoded (application/
// x-www-form-urlencoded: '+' is a space).
type Param struct {
	RawName, RawValue string
	Name, Value       string
	// Malformed says that the value has a percent-encoding that cannot be
	// decoded; reading it is an error.
	Malformed bool
	// Alternate says that only servers which also split the query at ';' see
	// this parameter: who reads its name would choose between two readings.
	Alternate bool
}

// Bracketed says whether some servers read another name in the parameter's: "a" in
// "a[]", "a[0]" and "a[b][c]".
func (p *Param) Bracketed() bool { return strings.ContainsAny(p.lenient(), "[]") }

// AlternateOf says whether the parameter has another name and some servers read it
// as one of that name.
func (p *Param) AlternateOf(name string) bool {
	return p.Name != name && IsAlternate(p.lenient(), name)
}

// HaveAlternate says whether some parameter is an alternate of a name.
func (q Query) HaveAlternate(name string) bool {
	for i := range q {
		if q[i].AlternateOf(name) {
			return true
		}
	}
	return false
}

// lenient is the name as those decode it that keep a malformed percent-encoding as
// it is.
func (p *Param) lenient() string {
	if p.Name != p.RawName { // it was decoded
		return p.Name
	}
	return DecodeForm(p.Name)
}

// IsAlternate says whether some servers read a parameter of one name, decoded, as
// one of another: "a[]", "a[0]" and "a[b]" as "a", "a[b][c]" as "a[b]" too (qs,
// PHP, Rack), and so for brackets that have no partner ("]a", "a]" in Rack, "[a]"
// in qs). PHP turns '.', ' ' and a '[' without partner into '_', and drops leading
// spaces.
func IsAlternate(name, of string) bool {
	if name == of || !hasOdd(name) && !hasOdd(of) {
		return false
	}
	wanted := readName(of)
	if wanted == "" {
		return false
	}
	rest, ok := strings.CutPrefix(readName(name), wanted)
	if ok && (rest == "" || rest[0] == part) {
		return true
	}
	open, is := unclosed(name)
	return is && readName(open) == wanted
}

// unclosed is what PHP makes of a name with a bracket that does not close.
func unclosed(name string) (string, bool) {
	i := strings.IndexByte(name, '[')
	if i < 1 || strings.IndexByte(name[i:], ']') >= 0 {
		return "", false
	}
	return name[:i] + "_" + name[i+1:], true
}

// Alternates are the names that the parameters of a query are alternates of, for
// who reads many names of one query.
type Alternates struct {
	// by maps what lenient readers make of a name to the name; "" for several.
	by map[string]string
}

// maxParts bounds how many parts of a name are told apart.
const maxParts = 32

// Alternates returns the alternates of a query.
func (q Query) Alternates() Alternates {
	out := Alternates{by: make(map[string]string, len(q))}
	for i := range q {
		p := &q[i]
		name := p.lenient()
		read := readName(name)
		for end, parts := 1, 0; end <= len(read) && parts < maxParts; end++ {
			if end == len(read) || read[end] == part {
				out.add(read[:end], p.Name, end == len(read))
				parts++
			}
		}
		if open, is := unclosed(name); is {
			out.add(readName(open), "", true)
		}
	}
	return out
}

func (a Alternates) add(read, name string, whole bool) {
	if other, more := a.by[read]; !whole || more && other != name {
		name = ""
	}
	a.by[read] = name
}

// Have says whether some parameter is an alternate of a name.
func (a Alternates) Have(name string) bool {
	read := readName(name)
	other, is := a.by[read]
	return read != "" && is && other != name || strings.Count(read, string(part)) > maxParts
}

// hasOdd says whether a name has a character that some servers give a meaning in one.
func hasOdd(name string) bool {
	_, some := classesOf(name)
	return some&oddByte != 0
}

// part stands between the parts of a name.
const part = '['

// readName is a name as its most lenient reader takes it: the parts that brackets
// make of it, each behind a '['.
func readName(name string) string {
	b := make([]byte, 0, len(name)+1)
	begins := true
	for i := range len(name) {
		switch c := name[i]; {
		case c == '[' || c == ']':
			begins = true
			continue
		case begins && c == ' ' && len(b) == 0:
			continue
		case c == '.' || c == ' ':
			b = appendPart(b, begins, '_')
		default:
			b = appendPart(b, begins, c)
		}
		begins = false
	}
	return string(b)
}

func appendPart(b []byte, begins bool, c byte) []byte {
	if begins {
		b = append(b, part)
	}
	return append(b, c)
}

// Values iterates over the parameters whose decoded name is name.
func (q Query) Values(name string) iter.Seq[*Param] {
	return func(yield func(*Param) bool) {
		for i := range q {
			if p := &q[i]; p.Name == name && !yield(p) {
				return
			}
		}
	}
}

// parseQuery reads a query into q, whose entries nobody reads any more.
func parseQuery(q Query, raw string) (Query, error) {
	if raw == "" {
		return q[:0], nil
	}
	all, some := classesOf(raw)
	if all&queryByte == 0 {
		return q, bad("the query has a space or a control character")
	}
	coded := some&codedByte != 0
	if cap(q) == 0 {
		q = make(Query, 0, min(1+strings.Count(raw, "&"), keptParams))
	}
	for rest, more := raw, true; more; {
		var part string
		if part, rest, more = cut(rest, '&'); part == "" {
			continue
		}
		q = append(q, parseParam(part, coded))
		_, alternates, are := cut(part, ';')
		for are {
			part, alternates, are = cut(alternates, ';')
			p := parseParam(part, coded)
			p.Alternate = true
			q = append(q, p)
		}
	}
	return q, nil
}

// parseParam reads a parameter; coded says whether anything in it may be encoded.
func parseParam(part string, coded bool) (p Param) {
	p.RawName, p.RawValue, _ = cut(part, '=')
	p.Name, p.Value = p.RawName, p.RawValue
	if !coded {
		return p
	}
	if name, ok := decodeForm(p.RawName); ok {
		p.Name = name
	}
	if value, ok := decodeForm(p.RawValue); ok {
		p.Value = value
	} else {
		p.Malformed = true
	}
	return p
}

// cut is [strings.Cut] at a byte, which costs less.
func cut(s string, at byte) (before, after string, found bool) {
	if i := strings.IndexByte(s, at); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func decodeForm(s string) (string, bool) {
	if !isCoded(s) {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b = append(b, ' ')
		case '%':
			d, ok := Unescape(s[i:])
			if !ok {
				return "", false
			}
			b = append(b, d)
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b), true
}

// DecodeForm reads a name or value as application/x-www-form-urlencoded. A percent
// sign that encodes nothing stands for itself, as for most readers.
func DecodeForm(s string) string {
	if !isCoded(s) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c, ok := Unescape(s[i:]); ok {
			b = append(b, c)
			i += 2
		} else if s[i] == '+' {
			b = append(b, ' ')
		} else {
			b = append(b, s[i])
		}
	}
	return string(b)
}

func isCoded(s string) bool {
	_, some := classesOf(s)
	return some&codedByte != 0
}
