package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/agentauth-dev/agentauth/authz/certs"
)

// tlsConfig is the configuration of one state of the files. Nothing is ever resumed:
// a ticket would outlive the authority that its certificate was verified to,
// and Envoy's connections are few and long.
func (c *Config) tlsConfig(cert, key, clientCA []byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("the certificate and its key cannot be used: %w", err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{pair},
		// Envoy's default for its own connections ends at 1.2.
		MinVersion:             tls.VersionTLS12,
		NextProtos:             c.Protocols,
		SessionTicketsDisabled: true,
		Time:                   c.Clock,
	}
	if len(c.ClientNames) == 0 {
		return config, nil
	}
	if config.ClientCAs, err = certs.Pool(clientCA); err != nil {
		return nil, fmt.Errorf("the client CA file: %w", err)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.VerifyConnection = func(state tls.ConnectionState) error {
		switch {
		case len(state.VerifiedChains) == 0:
			return errors.New("the client certificate is not verified")
		case !Named(state.PeerCertificates[0], c.ClientNames):
			return &NameError{Has: namesOf(state.PeerCertificates[0]), Want: c.ClientNames}
		}
		return nil
	}
	return config, nil
}

// firstEnd is when the first of some authorities ends; zero: there are none.
func firstEnd(authorities []byte) (end time.Time) {
	list, err := certs.List(authorities)
	if err != nil { // none: others were refused
		return end
	}
	for _, cert := range list {
		if end.IsZero() || cert.NotAfter.Before(end) {
			end = cert.NotAfter
		}
	}
	return end
}

// Named says whether a certificate has one of the names: a DNS or URI subject
// alternative name, compared as a whole and with case. "*" is any certificate.
func Named(cert *x509.Certificate, names []string) bool {
	for _, uri := range cert.URIs {
		if slices.Contains(names, uri.String()) {
			return true
		}
	}
	return slices.Contains(names, "*") ||
		slices.ContainsFunc(cert.DNSNames, func(dns string) bool { return slices.Contains(names, dns) })
}
