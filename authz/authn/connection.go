package authn

import "github.com/agentauth-dev/agentauth/authz"

// forwardedClientCert is where proxies tell of the certificates of the clients
// before them.
const forwardedClientCert = "x-forwarded-client-cert"

// Places of what a proxy knows of the client of a connection. Nothing of the first
// two is in the request, so nothing is stripped.
var (
	ConnectionCertificate = Place{In: InConnection, Name: "certificate"}
	ConnectionPrincipal   = Place{In: InConnection, Name: "principal"}
	ForwardedCertificate  = Place{In: InHeader, Name: forwardedClientCert}
)

func readConnection(r *authz.Request, p Place, room *Presented) (found *Presented, occupied bool) {
	value := r.Source.Certificate
	if p == ConnectionPrincipal {
		value = r.Source.Principal
	}
	if value == "" {
		return nil, false
	}
	return room.put(p, value), true
}

// readForwarded reads the certificate of the last element, which the proxy before
// the door wrote; those before it came with the request.
func readForwarded(value string, p Place, room *Presented) (*Presented, bool, error) {
	certificate, problem := lastCertificate(value)
	found := room.put(p, certificate)
	found.Malformed = problem
	return found, true, nil
}
