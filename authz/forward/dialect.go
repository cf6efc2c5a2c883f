package forward

import (
	"fmt"
	"strings"
)

// Dialect is how a proxy asks. The zero value is none.
type Dialect uint8

// Dialects.
const (
	_ Dialect = iota
	// Envoy is ext_authz with http_service.
	Envoy
	// Nginx is auth_request.
	Nginx
	// Traefik is ForwardAuth.
	Traefik
	// Caddy is forward_auth.
	Caddy
)

var dialects = [...]dialect{
	Envoy: {
		name: "envoy", proto: "x-forwarded-proto", source: "x-real-ip",
		written: []string{"x-real-ip"},
		removes: true, joined: true,
	},
	Nginx: {
		name: "nginx", method: "x-original-method", target: "x-original-uri", proto: "x-forwarded-proto", source: "x-real-ip",
		written: []string{"connection", "x-original-method", "x-original-uri", "x-forwarded-proto", "x-real-ip"},
	},
	Traefik: {
		name: "traefik", method: "x-forwarded-method", target: "x-forwarded-uri", host: "x-forwarded-host", proto: "x-forwarded-proto", source: "x-forwarded-for",
		written: []string{
			"connection", "x-forwarded-method", "x-forwarded-uri", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-for",
			"x-forwarded-port", "x-forwarded-server", "x-real-ip",
		},
	},
	Caddy: {
		name: "caddy", method: "x-forwarded-method", target: "x-forwarded-uri", host: "x-forwarded-host", proto: "x-forwarded-proto", source: "x-forwarded-for",
		written: []string{"connection", "x-forwarded-method", "x-forwarded-uri", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-for"},
	},
}

// dialect is what is particular to a dialect. Names of headers are in lower case.
type dialect struct {
	name string
	// method, target, host, proto and source are the headers that say so of the original
	// request; where there is none, the subrequest says it itself.
	method, target, host, proto, source string
	// written are the headers of which the proxy is the author: they are of the
	// subrequest, and no headers of the request.
	written []string
	// removes says that the proxy removes any header that an answer names; the others set
	// and remove what their configuration names.
	removes bool
	// joined says that fields of one name may come as one.
	joined bool
}

// of is the description of a dialect.
func (d Dialect) of() *dialect { return &dialects[d] }

func (d Dialect) String() string { return d.of().name }

// Dialects are the names of all dialects.
func Dialects() (names []string) {
	for _, d := range dialects[1:] {
		names = append(names, d.name)
	}
	return names
}

// ParseDialect reads the name of a dialect.
func ParseDialect(name string) (Dialect, error) {
	for i, d := range dialects {
		if i > 0 && d.name == name {
			return Dialect(i), nil // #nosec G115 -- a handful
		}
	}
	return 0, fmt.Errorf("%q: expected one of %s", name, strings.Join(Dialects(), ", "))
}
