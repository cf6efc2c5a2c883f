package authn

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// proveCertificate holds a request to the certificate that the token is bound to (RFC
// 8705 3). The client proved to the proxy in the handshake that it holds the key. Who
// issued the certificate, and when it ends, says nothing here: the authorization server
// bound the token to this very one. Where two certificates came, each must be it.
func (h *Proofs) proveCertificate(r *authz.Request, bound *[sha256.Size]byte) error {
	forwarded, err := h.forwardedCertificate(r, bound)
	if err != nil {
		return err
	}
	if r.Source.Certificate == "" && forwarded == "" {
		return reject(authz.ProofRequired, "the token is bound to a client certificate (cnf.x5t#S256), and the proxy passes none on: the client has to send it, and the proxy needs include_peer_certificate, or x-forwarded-client-cert with Cert and the operator's --trust-xfcc")
	}
	for _, text := range []string{r.Source.Certificate, forwarded} {
		if text == "" {
			continue
		}
		cert, err := ParsePeerCertificate(text)
		if err != nil {
			return reject(authz.ProofInvalid, "the client certificate is not usable: "+err.Error())
		}
		if Thumbprint(cert) != *bound {
			return anotherCertificate()
		}
	}
	return nil
}

func anotherCertificate() error {
	return reject(authz.ProofInvalid, "the client certificate is another one than that which the token is bound to (cnf.x5t#S256)")
}

// forwardedCertificate is Cert of the last element of x-forwarded-client-cert, where
// the operator trusts that header; "" if it has none, as behind proxies that name the
// certificate of a client by its Hash only.
func (h *Proofs) forwardedCertificate(r *authz.Request, bound *[sha256.Size]byte) (string, error) {
	if !h.TrustXFCC {
		return "", nil
	}
	header, fields := r.Header(forwardedClientCert)
	if fields == 0 {
		return "", nil
	}
	e, ok := lastElement(header)
	switch {
	case fields > 1:
		return "", reject(authz.ProofInvalid, "x-forwarded-client-cert came more than once")
	case !ok || e.many:
		return "", reject(authz.ProofInvalid, "x-forwarded-client-cert breaks its grammar, or its last element has Cert or Hash twice")
	case e.hasHash && !strings.EqualFold(e.Hash, hex.EncodeToString(bound[:])):
		return "", anotherCertificate()
	}
	return e.Cert, nil
}

// besideLists are the headers with lists that come with a credential.
func (h *Proofs) besideLists() []string {
	if h.TrustXFCC {
		return []string{forwardedClientCert}
	}
	return nil
}
