package authz

import "strings"

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

// Values returns every parameter whose decoded name is name.
func (q Query) Values(name string) []Param {
	var out []Param
	for _, p := range q {
		if p.Name == name {
			out = append(out, p)
		}
	}
	return out
}

func parseQuery(raw string) (Query, error) {
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c == 0x7f {
			return nil, bad("the query has a space or a control character")
		}
	}
	if raw == "" {
		return nil, nil
	}
	q := make(Query, 0, 1+strings.Count(raw, "&"))
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		q = append(q, parseParam(part))
		_, rest, more := strings.Cut(part, ";")
		for more {
			part, rest, more = strings.Cut(rest, ";")
			p := parseParam(part)
			p.Alternate = true
			q = append(q, p)
		}
	}
	return q, nil
}

func parseParam(part string) (p Param) {
	p.RawName, p.RawValue, _ = strings.Cut(part, "=")
	var ok bool
	if p.Name, ok = decodeForm(p.RawName); !ok {
		p.Name = p.RawName
	}
	if p.Value, ok = decodeForm(p.RawValue); !ok {
		p.Value, p.Malformed = p.RawValue, true
	}
	return p
}

func decodeForm(s string) (string, bool) {
	if !strings.ContainsAny(s, "%+") {
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
