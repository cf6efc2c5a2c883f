package main

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// readCertificate makes the first certificate of a file that of the connection, and
// its name the principal, as Envoy does behind TLS.
func (f *checkFlags) readCertificate(raw *authz.Raw) error {
	if f.cert == "" {
		return nil
	}
	if !raw.TLS {
		return usage("--cert is for an https URL: clients show certificates in the handshake of TLS")
	}
	data, err := os.ReadFile(f.cert)
	if err != nil {
		return usage("--cert: %v", err)
	}
	block, rest := pem.Decode(data)
	for block != nil && block.Type != "CERTIFICATE" {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return usage("--cert %s: expected a certificate in PEM, and there is none", f.cert)
	}
	raw.Source.Certificate = strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").
		Replace(string(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})))
	if cert, err := x509.ParseCertificate(block.Bytes); err == nil { // else the decision says so
		raw.Source.Principal = principalOf(cert)
	}
	return nil
}

// principalOf is the first URI of a certificate, else its first DNS name, else its
// subject.
func principalOf(cert *x509.Certificate) string {
	name := cert.Subject.String()
	if len(cert.DNSNames) > 0 {
		name = cmp.Or(cert.DNSNames[0], name)
	}
	if len(cert.URIs) > 0 {
		name = cmp.Or(cert.URIs[0].String(), name)
	}
	return name
}
