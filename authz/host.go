package authz

import "strings"

// parseHost reduces a host as sent to lower case without port. Only what
// RFC 3986 3.2.2 calls a reg-name of letters, digits, '-', '.' and '_', or an
// IP literal, is a host: everything else has more than one reading.
func parseHost(host string) (string, error) {
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		port := host[i+1:]
		name = host[:i]
		if port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return "", bad("the host has a malformed port")
		}
	}
	switch {
	case name == "":
		return "", bad("the host is empty")
	case len(name) > 255:
		return "", bad("the host is longer than 255 bytes")
	case name[0] == '[':
		inner, ok := strings.CutSuffix(name[1:], "]")
		if !ok || inner == "" || strings.Trim(inner, "0123456789abcdefABCDEF:.") != "" {
			return "", bad("the host is a malformed IP literal")
		}
	default:
		if name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, "..") {
			return "", bad("the host has an empty label")
		}
		for i := range len(name) {
			if !isHostByte(name[i]) {
				return "", bad("the host has a character that no host name has")
			}
		}
	}
	return strings.ToLower(name), nil
}

func isHostByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_'
}
