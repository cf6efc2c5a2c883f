package authz

// role is what a header with some alias says to those who read it.
type role uint8

const (
	_ role = iota
	hostRole
	connectionRole
	proxyConnectionRole
	// The others say of the request's host, target or method.
	otherHost
	otherTarget
	otherMethod
	otherForwarded
)

// roles is a set: bit n is role n.
type roles uint16

func (s roles) has(r role) bool { return s&(1<<r) != 0 }

// misleading are the roles of headers by which some servers take another host, path
// or method than the request has. A caller can send them, and Envoy passes them on.
const misleading roles = 1<<otherHost | 1<<otherTarget | 1<<otherMethod | 1<<otherForwarded

// longestRole is the length of the longest name with a role.
const longestRole = len("x-http-method-override")

// roleOf is the role of an alias.
func roleOf(alias string) role {
	switch alias {
	case "host":
		return hostRole
	case "connection":
		return connectionRole
	case "proxy-connection": // old proxies take it for connection
		return proxyConnectionRole
	case "x-forwarded-host", "x-host", "x-original-host":
		return otherHost
	case "x-original-url", "x-rewrite-url":
		return otherTarget
	case "x-http-method-override", "x-http-method", "x-method-override":
		return otherMethod
	case "forwarded":
		return otherForwarded
	}
	return 0
}

// roleOfVariant is the role of a name that is not its own alias.
func roleOfVariant(name string) role {
	if len(name) > longestRole {
		return 0
	}
	var space [longestRole]byte
	return roleOf(string(appendAlias(space[:0], name)))
}

// Misleads says whether a header says of the host, target or method of a request, so that
// some servers take what it says.
func Misleads(name string) bool { return misleading.has(roleOf(Alias(name))) }
