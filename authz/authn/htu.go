package authn

import (
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// isTarget says whether the htu of a proof is the URI of a request, without query and
// fragment (RFC 9449 4.3 item 9): https, the host, and the path as sent, compared after
// the normalisation of RFC 3986 6.2.2.1, 6.2.2.2 and 6.2.3. The scheme is https, also
// where TLS ends before the proxy. A port is the one of the authority as sent, where
// that has one; without one it is that of https, or was taken away on the way here.
func isTarget(htu string, r *authz.Request) bool {
	scheme, rest, ok := strings.Cut(htu, "://")
	if !ok || !authz.EqualFold(scheme, "https") {
		return false
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	if path == "" {
		path = "/"
	}
	host, port := splitPort(authority)
	if port != "" && port != "443" && port != r.Port {
		return false
	}
	return authz.EqualFold(host, r.Host) && samePath(path, r.RawPath)
}

// splitPort splits an authority. With a user in it the host is none.
func splitPort(authority string) (host, port string) {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.HasSuffix(authority, "]") {
		return authority, ""
	}
	return authority[:i], authority[i+1:]
}

// samePath says whether two paths are one: a character that need not be encoded is the
// same in both forms, and hexadecimal digits have any case.
func samePath(a, b string) bool {
	for a != "" && b != "" {
		x, encodedX, nextA := character(a)
		y, encodedY, nextB := character(b)
		if x != y || encodedX != encodedY {
			return false
		}
		a, b = nextA, nextB
	}
	return a == b
}

// character is the first character of a path, and whether it means something else
// than unencoded.
func character(s string) (c byte, encoded bool, rest string) {
	if c, ok := authz.Unescape(s); ok {
		return c, !isUnreserved(c), s[3:]
	}
	return s[0], false, s[1:]
}

// isUnreserved is RFC 3986 2.3.
func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
