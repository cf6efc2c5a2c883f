package authn

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/keyed"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// ClientCertificate checks the certificate that a client showed to the proxy, or
// takes the proxy's word for who that client is.
type ClientCertificate struct {
	// Method is the method's name, Owner whose turn slow signatures wait for.
	Method string
	Owner  work.Owner
	// From is one of ConnectionCertificate, ConnectionPrincipal and
	// ForwardedCertificate.
	From Place
	// TrustDomains: the one URI of a certificate must be a SPIFFE id of one of these,
	// and is the subject. Without any the thumbprint is.
	TrustDomains []string
	// Authorities verify certificates, as [CheckAuthorities] admits them. Digest
	// stands for them. A principal needs none.
	Authorities []*x509.Certificate
	Digest      [sha256.Size]byte
	// Missing says why nothing can be verified; the method is unavailable then.
	Missing string
	// Scheduler runs what costs more than a signature of ES256.
	Scheduler *work.Scheduler
}

var _ Keepable = (*ClientCertificate)(nil)

// Reads implements [Authenticator].
func (c *ClientCertificate) Reads() Reads { return Reads{Places: []Place{c.From}} }

// Challenge implements [Authenticator]. HTTP has no scheme for certificates.
func (c *ClientCertificate) Challenge(*authz.Request, bool) string { return "" }

// Verify implements [Authenticator].
func (c *ClientCertificate) Verify(ctx context.Context, p *Presented) (*Verified, error) {
	switch {
	case c.Missing != "":
		return nil, &Unavailable{Reason: authz.Unavailable, Detail: c.Missing}
	case p.Malformed != "":
		return nil, reject(authz.CertificateInvalid, p.Malformed)
	case c.From == ConnectionPrincipal:
		return c.principal(p.Value)
	}
	cert, err := ParsePeerCertificate(p.Value)
	if err != nil {
		return nil, reject(authz.CertificateInvalid, err.Error())
	}
	p.certificate = cert
	if why := noClient(cert); why != "" {
		return nil, reject(authz.CertificateInvalid, why)
	}
	valid, err := c.verify(ctx, cert, p.Time)
	rejected := (*Rejected)(nil)
	switch {
	case err == nil:
		return c.accept(cert, valid)
	case errors.As(err, &rejected):
		return nil, &Rejected{Reason: rejected.Reason, Detail: rejected.Detail, Came: c.came(cert)}
	}
	return nil, err
}

// noClient says why no client has such a certificate; "" if one may.
func noClient(cert *x509.Certificate) string {
	switch {
	case cert.IsCA || cert.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		return "it is the certificate of an authority, expected that of a client"
	case oddKey(cert.PublicKey) != "":
		return "its key " + oddKey(cert.PublicKey)
	case len(cert.DNSNames)+len(cert.EmailAddresses)+len(cert.IPAddresses)+len(cert.URIs) > maxAlternativeNames:
		return "expected at most 100 subject alternative names"
	case slices.Contains(broken, cert.SignatureAlgorithm):
		return "its signature is over MD5 or SHA-1, which can be forged"
	case len(cert.UnhandledCriticalExtensions) > 0:
		return "it has a critical extension that is not known here (RFC 5280 4.2)"
	}
	return ""
}

const maxAlternativeNames = 100

// broken are the algorithms that package x509 verifies nothing with.
var broken = []x509.SignatureAlgorithm{x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1}

// came says of whom a certificate is, beside who is trusted.
func (c *ClientCertificate) came(cert *x509.Certificate) func() string {
	return func() string {
		names := listed(c.Authorities, func(ca *x509.Certificate) string { return Quote(ca.Subject.String()) })
		return "its issuer is " + Quote(cert.Issuer.String()) + ", the authorities are: " + names
	}
}

// accept holds a verified certificate to the trust domains.
func (c *ClientCertificate) accept(cert *x509.Certificate, valid period) (*Verified, error) {
	sum := Thumbprint(cert)
	id := authz.Identity{Method: c.Method, CredentialID: hex.EncodeToString(sum[:]), ExpiresAt: valid.until, Issuer: cert.Issuer.String()}
	id.Subject = id.CredentialID
	v := &Verified{Identity: id, from: valid.from, until: valid.until, certificate: &sum, twin: twin(cert, valid.authority)}
	uris := uriNames(cert)
	if len(c.TrustDomains) > 0 {
		if len(uris) != 1 {
			return nil, &Rejected{Reason: authz.CertificateUntrusted, Detail: "expected exactly one URI among its subject alternative names, a SPIFFE id (X509-SVID 2)", Verified: v}
		}
		if rejected := c.workload(v, uris[0]); rejected != nil {
			return nil, rejected
		}
	}
	claims, ok := certificateClaims(cert, uris, sum)
	if !ok {
		return nil, &Rejected{Reason: authz.CertificateInvalid, Detail: "its names are longer than 16 KiB, or are no text", Verified: v}
	}
	v.Identity.Claims = claims
	return v, nil
}

// claimed implements [claiming]: of a certificate that no authority vouches for.
func (c *ClientCertificate) claimed(p *Presented) (out authz.Claim) {
	if cert := p.certificate; cert != nil {
		sum := Thumbprint(cert)
		out = authz.Claim{Issuer: cert.Issuer.String(), Subject: cert.Subject.String(), CredentialID: hex.EncodeToString(sum[:])}
	}
	return out
}

// principal takes the proxy's word.
func (c *ClientCertificate) principal(name string) (*Verified, error) {
	if len(name) > maxSPIFFE || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return nil, reject(authz.CertificateInvalid, "expected a principal of at most 2048 bytes of text")
	}
	v := &Verified{Identity: authz.Identity{Method: c.Method, Subject: strings.Clone(name)}}
	if len(c.TrustDomains) > 0 {
		if rejected := c.workload(v, v.Identity.Subject); rejected != nil {
			return nil, rejected
		}
	}
	return v, nil
}

// workload makes a SPIFFE id the subject, which must be one of the trust domains.
func (c *ClientCertificate) workload(v *Verified, spiffe string) *Rejected {
	domain, err := trustDomain(spiffe)
	if err != nil {
		return &Rejected{Reason: authz.CertificateUntrusted, Detail: err.Error(), Verified: v}
	}
	v.Identity.Subject, v.Identity.Issuer = spiffe, spiffeScheme+domain
	if !slices.Contains(c.TrustDomains, domain) {
		return &Rejected{Reason: authz.CertificateUntrusted, Detail: "it is of another trust domain than the policy's", Verified: v,
			Came: func() string {
				return "the trust domain is " + Quote(domain) + ", wanted one of: " + QuoteList(c.TrustDomains)
			}}
	}
	return nil
}

// certificateClaims are what expressions read of a certificate.
func certificateClaims(cert *x509.Certificate, uris []string, sum [sha256.Size]byte) (claims map[string]any, ok bool) {
	length, sound := 0, true
	text := func(s string) string {
		length, sound = length+len(s), sound && utf8.ValidString(s)
		return s
	}
	texts := func(list []string) []any {
		out := make([]any, len(list))
		for i, s := range list {
			out[i] = text(s)
		}
		return out
	}
	addresses := make([]string, len(cert.IPAddresses))
	for i, ip := range cert.IPAddresses {
		addresses[i] = ip.String()
	}
	claims = map[string]any{
		"subject": text(cert.Subject.String()), "issuer": text(cert.Issuer.String()), "serial": text(cert.SerialNumber.Text(16)),
		"not_before": cert.NotBefore.Unix(), "not_after": cert.NotAfter.Unix(),
		"dns": texts(cert.DNSNames), "uri": texts(uris), "email": texts(cert.EmailAddresses), "ip": texts(addresses),
		"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	return claims, sound && length <= maxCertificate
}

// Check implements [Authenticator].
func (c *ClientCertificate) Check(r *authz.Request, v *Verified) error {
	switch {
	case v.until.IsZero(): // a principal, of which the proxy knows how long
		return nil
	case r.Time.Before(v.from):
		return reject(authz.CertificateExpired, "it begins at "+instant(v.from)+", the clock says "+instant(r.Time))
	case r.Time.After(v.until):
		return reject(authz.CertificateExpired, "it, or its authority, ended at "+instant(v.until)+", the clock says "+instant(r.Time))
	}
	return nil
}

// Inputs implements [Keepable]. A principal is read, and not verified.
func (c *ClientCertificate) Inputs() (keyed.Digest, bool) {
	if c.Missing != "" || c.From == ConnectionPrincipal {
		return keyed.Digest{}, false
	}
	in := [][]byte{[]byte(c.Method), []byte(c.From.String()), c.Digest[:]}
	return keyed.Of("certificate", appendInputs(in, nil, c.TrustDomains)...), true
}

// State implements [Keepable]. The authorities are inputs.
func (c *ClientCertificate) State() (State, bool) { return State{}, true }

// Ends implements [Keepable].
func (c *ClientCertificate) Ends(v *Verified) time.Time { return v.until }

// Disowns implements [Keepable].
func (c *ClientCertificate) Disowns(*Verified) bool { return false }
