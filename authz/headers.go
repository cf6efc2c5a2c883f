package authz

import (
	"iter"
	"strings"
)

// Header returns the value of a header by its name in lower case, fields of
// one name joined by a comma (cookie: by "; "), and how many fields it had.
func (r *Request) Header(name string) (value string, fields int) {
	f := r.headers[name]
	return f.value, f.count
}

// Headers iterates over the headers in no order; names are in lower case.
func (r *Request) Headers() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for n, f := range r.headers {
			if !yield(n, f.value) {
				return
			}
		}
	}
}

// Cookie returns the values of every cookie of that name (RFC 6265 4.2).
func (r *Request) Cookie(name string) []string {
	var out []string
	for pair := range strings.SplitSeq(r.headers["cookie"].value, ";") {
		n, v, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		if strings.TrimRight(n, " \t") == name {
			out = append(out, strings.TrimLeft(v, " \t"))
		}
	}
	return out
}

// CookieSightings counts how often a lenient server may see a cookie of that
// name: behind any ';', ',' (Envoy joins fields with it where it is not told
// encode_raw_headers), quote, white space, control or byte beyond ASCII.
func (r *Request) CookieSightings(name string) int {
	n := 0
	for part := range strings.FieldsFuncSeq(r.headers["cookie"].value, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || c == ';' || c == ',' || c == '"'
	}) {
		if before, _, _ := strings.Cut(part, "="); before == name {
			n++
		}
	}
	return n
}

// readHeaders lowers names and joins fields; pseudo-headers must say what the
// door's own attributes say.
func (r *Request) readHeaders(raw *Raw) error {
	r.headers = make(map[string]fields, len(raw.Headers))
	for _, h := range raw.Headers {
		name, pseudo := strings.CutPrefix(h.Name, ":")
		err := checkField(name, h.Value)
		switch name = Lower(name); {
		case err != nil:
			return err
		case !pseudo:
			r.add(name, h.Value)
			continue
		}
		if err := r.checkPseudo(raw, name, h.Value); err != nil {
			return err
		}
	}
	if f, ok := r.headers["host"]; ok {
		if host, err := parseHost(f.value); err != nil || host != r.Host {
			return bad("the host header and the authority differ")
		}
	}
	return r.checkConnection()
}

// add adds a field of a name in lower case.
func (r *Request) add(name, value string) {
	f, more := r.headers[name]
	switch {
	case !more:
		f.value = value
		if alias := Alias(name); alias != name {
			if r.aliases == nil {
				r.aliases = map[string][]string{}
			}
			r.aliases[alias] = append(r.aliases[alias], name)
		}
	case name == "cookie":
		f.value += "; " + value
	default:
		if f.each == nil {
			f.each = []string{f.value}
		}
		f.each = append(f.each, value)
		f.value += "," + value
	}
	f.count++
	r.headers[name] = f
}

func (r *Request) checkPseudo(raw *Raw, name, value string) error {
	same := true
	switch name {
	case "authority":
		host, err := parseHost(value)
		same = err == nil && host == r.Host
	case "method":
		same = value == raw.Method
	case "path":
		same = value == raw.Path
	case "scheme":
		same = EqualFold(value, raw.Scheme)
	}
	if !same {
		return bad(":%s differs from the request's own", name)
	}
	return nil
}

func checkField(name, value string) error {
	if name == "" {
		return bad("a header has no name")
	}
	for i := range len(name) {
		if !isToken(name[i]) {
			return bad("a header name is no token")
		}
	}
	if strings.ContainsAny(value, "\r\n\x00") {
		return bad("a header value has a line break or NUL")
	}
	return nil
}

// Alias folds a header name to what lenient servers may take it for: lower
// case, everything but letters and digits turned into '-'. Two names with one
// alias reach some upstreams as one variable (CGI, WSGI).
func Alias(name string) string {
	for i := range len(name) {
		if !inAlias(name[i]) {
			b := []byte(name)
			for ; i < len(b); i++ {
				if b[i] = lower(b[i]); !inAlias(b[i]) {
					b[i] = '-'
				}
			}
			return string(b)
		}
	}
	return name
}

func inAlias(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' }

// ValidFieldValue says whether v can be sent as a field value as it is
// (RFC 9110 5.5): visible characters, spaces and tabs inside, obs-text.
func ValidFieldValue(v string) bool {
	for i := range len(v) {
		if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return v == "" || v[0] > ' ' && v[len(v)-1] > ' '
}

// ValidFieldName says whether n is a field name (RFC 9110 5.1).
func ValidFieldName(n string) bool {
	for i := range len(n) {
		if !isToken(n[i]) {
			return false
		}
	}
	return n != ""
}

// isToken is tchar of RFC 9110 5.6.2.
func isToken(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
