package authz

import "strings"

// Misleading are the names of the headers that came and say of the host, the path
// or the method otherwise than the request, in the order in which they came.
func (r *Request) Misleading() []string {
	if r.fields.roles&misleading == 0 {
		return nil
	}
	var out []string
	for i := range r.fields.list {
		f := &r.fields.list[i]
		if misleading.has(f.role) && !r.fields.all(f, func(value string) bool { return r.agrees(f.role, value) }) {
			out = append(out, f.name)
		}
	}
	return out
}

// agrees says whether a value says the same as the request.
func (r *Request) agrees(as role, value string) bool {
	switch as {
	case otherHost:
		return r.isHost(value)
	case otherTarget:
		return r.isTarget(value)
	case otherMethod:
		return r.isMethod(value)
	case otherForwarded:
		return r.agreesForwarded(value)
	default:
		return false
	}
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
