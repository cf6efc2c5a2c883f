package authn

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
	"strings"
)

// maxCertificate is the longest PEM of a client certificate in bytes.
const maxCertificate = 16 << 10

const beginCertificate = "-----BEGIN CERTIFICATE-----"

// ParsePeerCertificate reads a certificate as proxies pass it on: one block of PEM,
// percent-encoded. Nothing of it is verified. An error repeats nothing of the text.
func ParsePeerCertificate(text string) (*x509.Certificate, error) {
	der, err := decodeCertificate(text)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("it is no X.509 certificate in DER (RFC 5280)")
	}
	return cert, nil
}

// decodeCertificate reads PEM, percent-encoded.
func decodeCertificate(text string) (der []byte, err error) {
	if len(text) > 3*maxCertificate {
		return nil, errCertificateSize
	}
	decoded, err := url.PathUnescape(text) // a + stands for itself
	switch {
	case err != nil:
		return nil, errors.New("its percent-encoding is malformed")
	case len(decoded) > maxCertificate:
		return nil, errCertificateSize
	case !strings.HasPrefix(decoded, beginCertificate): // package pem would skip what is before a block
		return nil, errors.New("expected PEM that begins with " + beginCertificate)
	}
	block, rest := pem.Decode([]byte(decoded))
	switch {
	case block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0:
		return nil, errors.New("expected a block CERTIFICATE of PEM without headers")
	case len(bytes.TrimSpace(rest)) > 0 || strings.Count(decoded, beginCertificate) != 1:
		return nil, errors.New("expected one block of PEM, and there is more: the certificate of the client goes alone, without its chain")
	}
	return block.Bytes, nil
}

// Thumbprint is the SHA-256 of a certificate in DER (RFC 8705 3.1).
func Thumbprint(cert *x509.Certificate) [sha256.Size]byte { return sha256.Sum256(cert.Raw) }

var errCertificateSize = errors.New("expected at most 16 KiB of PEM")
