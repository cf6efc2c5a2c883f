package authn

import (
	"crypto/sha256"

	"github.com/agentauth-dev/agentauth/authz"
)

// proveCertificate holds a request to the certificate that the token is bound to (RFC
// 8705 3). The client proved to the proxy in the handshake that it holds the key. Who
// issued the certificate, and when it ends, says nothing here: the authorization server
// bound the token to this very one.
func proveCertificate(r *authz.Request, bound *[sha256.Size]byte) error {
	if r.Source.Certificate == "" {
		return reject(authz.ProofRequired, "the token is bound to a client certificate (cnf.x5t#S256), and the proxy passes none on: the client has to send it, and the proxy needs include_peer_certificate")
	}
	cert, err := ParsePeerCertificate(r.Source.Certificate)
	if err != nil {
		return reject(authz.ProofInvalid, "the client certificate is not usable: "+err.Error())
	}
	if Thumbprint(cert) != *bound {
		return reject(authz.ProofInvalid, "the client certificate is another one than that which the token is bound to (cnf.x5t#S256)")
	}
	return nil
}
