package authz

import (
	"iter"
	"strings"
)

// Header returns the value of a header by its name in lower case, fields of
// one name joined by a comma (cookie: by "; "), and how many fields it had.
func (r *Request) Header(name string) (value string, fields int) {
	if f := r.fields.find(name); f != nil {
		return f.value, int(f.count)
	}
	return "", 0
}

// Headers iterates over the headers in the order in which their names first came;
// names are in lower case.
func (r *Request) Headers() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range r.fields.list {
			if f := &r.fields.list[i]; !yield(f.name, f.value) {
				return
			}
		}
	}
}

// Cookie iterates over the values of every cookie of that name (RFC 6265 4.2).
func (r *Request) Cookie(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		rest, _ := r.Header("cookie")
		for more := true; more; {
			var pair string
			pair, rest, more = strings.Cut(rest, ";")
			n, v, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if strings.TrimRight(n, " \t") == name && !yield(strings.TrimLeft(v, " \t")) {
				return
			}
		}
	}
}

// CookieSightings counts how often a lenient server may see a cookie of that
// name: behind any ';', ',' (Envoy joins fields with it where it is not told
// encode_raw_headers), quote, white space, control or byte beyond ASCII.
func (r *Request) CookieSightings(name string) int {
	header, _ := r.Header("cookie")
	n, start := 0, 0
	for i := 0; i <= len(header); i++ {
		if i < len(header) && !endsCookie(header[i]) {
			continue
		}
		part := header[start:i]
		start = i + 1
		if part == "" {
			continue
		}
		if before, _, _ := strings.Cut(part, "="); before == name {
			n++
		}
	}
	return n
}

func endsCookie(c byte) bool {
	return c <= ' ' || c >= 0x7f || c == ';' || c == ',' || c == '"'
}

// readHeaders lowers names and joins fields; pseudo-headers must say what the
// door's own attributes say.
func (r *Request) readHeaders(raw *Raw) error {
	r.fields.expect(len(raw.Headers))
	for i := range raw.Headers {
		h := &raw.Headers[i]
		name, pseudo := strings.CutPrefix(h.Name, ":")
		all, some := classesOf(name)
		if err := checkField(name, h.Value, all); err != nil {
			return err
		}
		if some&upperByte != 0 {
			name = Lower(name)
			all, _ = classesOf(name)
		}
		if !pseudo {
			r.fields.add(name, h.Value, all&aliasByte == 0, len(raw.Headers))
		} else if err := r.checkPseudo(raw, name, h.Value); err != nil {
			return err
		}
	}
	r.fields.join()
	if r.fields.roles.has(hostRole) {
		if host, err := parseHost(r.fields.find("host").value); err != nil || host != r.Host {
			return bad("the host header and the authority differ")
		}
	}
	return r.checkConnection()
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
		return bad(":" + name + " differs from the request's own")
	}
	return nil
}

// checkField refuses what is no field; all are the classes of the bytes of its name.
func checkField(name, value string, all class) error {
	switch {
	case name == "":
		return bad("a header has no name")
	case all&tokenByte == 0:
		return bad("a header name is no token")
	case breaks(value):
		return bad("a header value has a line break or NUL")
	}
	return nil
}

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
	all, _ := classesOf(n)
	return n != "" && all&tokenByte != 0
}
