package authz

import "strings"

// overrides are the headers by which some servers take another host, path or
// method than the request has, by their aliases, and how a value says the same as
// the request. A caller can send them, and Envoy passes them on.
var overrides = map[string]func(r *Request, value string) bool{
	"x-forwarded-host": (*Request).isHost,
	"x-host":           (*Request).isHost,
	"x-original-host":  (*Request).isHost,

	"x-original-url": (*Request).isTarget,
	"x-rewrite-url":  (*Request).isTarget,

	"x-http-method-override": (*Request).isMethod,
	"x-http-method":          (*Request).isMethod,
	"x-method-override":      (*Request).isMethod,

	"forwarded": (*Request).agreesForwarded,
}

// Misleading are the names of the headers that came and say of the host, the path
// or the method otherwise than the request, in no order.
func (r *Request) Misleading() []string {
	var out []string
	for name, f := range r.headers {
		same := overrides[Alias(name)]
		if same == nil {
			continue
		}
		agree := true
		for _, value := range f.values() {
			agree = agree && same(r, value)
		}
		if !agree {
			out = append(out, name)
		}
	}
	return out
}

// values are the fields one by one, as far as they came so.
func (f fields) values() []string {
	if f.each != nil {
		return f.each
	}
	return []string{f.value}
}

// isHost says whether each host of a list is the request's. Ports do not count.
func (r *Request) isHost(list string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if host, err := parseHost(strings.Trim(one, " \t")); err != nil || host != r.Host {
			return false
		}
	}
	return true
}

func (r *Request) isMethod(list string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if !EqualFold(strings.Trim(one, " \t"), r.Method) {
			return false
		}
	}
	return true
}

// isTarget compares with the path as sent, with the query or without it. A comma
// may join two fields.
func (r *Request) isTarget(target string) bool {
	if r.joined && strings.Contains(target, ",") {
		return false
	}
	path, query, asked := strings.Cut(target, "?")
	return path == r.RawPath && (!asked || query == r.RawQuery)
}

// agreesForwarded says whether each host of a Forwarded field is the request's
// (RFC 7239 4). It looks for `host=` wherever a reader may find it, also where the
// grammar has none: in a quoted text, or behind one that does not end.
func (r *Request) agreesForwarded(value string) bool {
	rest := Lower(value)
	for {
		i := strings.Index(rest, "host")
		if i < 0 {
			return true
		}
		inName := i > 0 && isToken(rest[i-1])
		rest = rest[i+len("host"):]
		host, is := strings.CutPrefix(strings.TrimLeft(rest, " \t"), "=")
		if inName || !is {
			continue
		}
		if !r.isForwardedHost(strings.TrimLeft(host, " \t")) {
			return false
		}
	}
}

// isForwardedHost says whether a value begins with the request's host, as a token
// or quoted, and ends there.
func (r *Request) isForwardedHost(value string) bool {
	end := strings.IndexAny(value, ";, \t")
	if quoted, is := strings.CutPrefix(value, `"`); is {
		i := strings.IndexByte(quoted, '"')
		if i < 0 {
			return false
		}
		value, end = quoted, i
		if next := strings.TrimLeft(quoted[i+1:], " \t"); next != "" && next[0] != ';' && next[0] != ',' {
			return false
		}
	}
	if end >= 0 {
		value = value[:end]
	}
	return r.isHost(value)
}
