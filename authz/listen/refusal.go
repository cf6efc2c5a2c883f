package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Refusal is a client that was refused before it could ask.
type Refusal struct {
	// Peer is the IP address of the client.
	Peer string
	// Cause is one of [Causes].
	Cause string
	// Problem says to the operator what was expected and what came. Of what the
	// client sent it holds the names of its certificate only.
	Problem string
}

// Causes of refusals.
const (
	CauseNoCertificate     = "no_certificate"
	CauseAuthority         = "unknown_authority"
	CauseExpired           = "expired_certificate"
	CauseCertificate       = "invalid_certificate"
	CauseName              = "certificate_name"
	CauseServerCertificate = "server_certificate"
	CausePlaintext         = "plaintext"
	CauseTLS               = "tls"
	CauseHTTP1             = "http1"
	CauseProtocol          = "protocol"
	CauseSlow              = "too_slow"
	CauseHandshake         = "handshake"
)

// Causes are all causes of refusals.
func Causes() []string {
	return []string{CauseNoCertificate, CauseAuthority, CauseExpired, CauseCertificate, CauseName, CauseServerCertificate,
		CausePlaintext, CauseTLS, CauseHTTP1, CauseProtocol, CauseSlow, CauseHandshake}
}

const lacksHTTP2 = "HTTP/1.1, expected HTTP/2: the cluster lacks http2_protocol_options"

// NameError says that a client certificate has none of the names of a door.
type NameError struct{ Has, Want []string }

func (e *NameError) Error() string {
	return fmt.Sprintf("its certificate has %s, expected one of %s", shown(e.Has), strings.Join(e.Want, ", "))
}

// OfHandshake says why the TLS handshake of a client failed. ok is false for
// an end that refuses nobody: the client closed without a word, or the door did.
func OfHandshake(err error, began bool) (r Refusal, ok bool) {
	var (
		header  tls.RecordHeaderError
		name    *NameError
		failed  *tls.CertificateVerificationError
		network *net.OpError
	)
	switch {
	case errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF) && !began:
		return r, false
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Refusal{Cause: CauseSlow, Problem: "the TLS handshake took too long"}, true
	case errors.As(err, &header) && header.RecordHeader[0] >= 'A' && header.RecordHeader[0] <= 'Z':
		return Refusal{Cause: CausePlaintext, Problem: "plaintext on a TLS port: the cluster lacks a transport_socket with TLS"}, true
	case errors.As(err, &name):
		return Refusal{Cause: CauseName, Problem: name.Error()}, true
	case errors.As(err, &failed):
		return ofCertificate(failed), true
	case errors.As(err, &network) && network.Op == "remote error":
		return ofAlert(network.Err), true
	case strings.Contains(err.Error(), "client didn't provide a certificate"):
		return Refusal{Cause: CauseNoCertificate, Problem: "it showed no client certificate, expected one of an authority in --client-ca"}, true
	case strings.Contains(err.Error(), "ALPN"):
		return Refusal{Cause: CauseHTTP1, Problem: lacksHTTP2 + " (it offers no ALPN protocol h2)"}, true
	case strings.Contains(err.Error(), "unsupported versions"):
		return Refusal{Cause: CauseHandshake, Problem: "it offers no version of TLS that is taken here, expected 1.2 or 1.3"}, true
	}
	return Refusal{Cause: CauseHandshake, Problem: "the TLS handshake failed or was broken off"}, true
}

func ofCertificate(failed *tls.CertificateVerificationError) Refusal {
	var names string
	var leaf *x509.Certificate
	if len(failed.UnverifiedCertificates) > 0 {
		leaf = failed.UnverifiedCertificates[0]
		names = " (" + shown(namesOf(leaf)) + ")"
	}
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(failed.Err, &unknown):
		return Refusal{Cause: CauseAuthority, Problem: "its certificate" + names + " is of no authority in --client-ca"}
	case errors.As(failed.Err, &invalid) && invalid.Reason == x509.Expired && leaf != nil:
		return Refusal{Cause: CauseExpired, Problem: fmt.Sprintf("its certificate%s, or one above it, is not valid now; it is valid from %s to %s",
			names, leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))}
	case errors.As(failed.Err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return Refusal{Cause: CauseCertificate, Problem: "its certificate" + names + " is not for clients, expected the extended key usage clientAuth"}
	}
	return Refusal{Cause: CauseCertificate, Problem: "its certificate" + names + " does not verify to --client-ca"}
}

// ofAlert says what a client did not like. The texts of alerts are Go's.
func ofAlert(alert error) Refusal {
	text := strings.TrimPrefix(alert.Error(), "tls: ")
	if strings.Contains(text, "certificate") {
		return Refusal{Cause: CauseServerCertificate, Problem: "it does not take this door's certificate (" + text +
			"): does it trust the authority of --tls-cert, and does it expect a name that this certificate has?"}
	}
	return Refusal{Cause: CauseHandshake, Problem: "it broke off the TLS handshake (" + text + ")"}
}

// OfFirstByte says what a client speaks whose first bytes are not those of
// HTTP/2.
func OfFirstByte(first byte, overTLS bool) Refusal {
	const recordTypeHandshake = 0x16
	switch {
	case first == recordTypeHandshake && !overTLS:
		return Refusal{Cause: CauseTLS, Problem: "TLS on a plaintext port: give the door --tls-cert and --tls-key, or take the transport_socket out of the cluster"}
	case first >= 'A' && first <= 'Z':
		return Refusal{Cause: CauseHTTP1, Problem: lacksHTTP2}
	}
	return Refusal{Cause: CauseProtocol, Problem: "it speaks neither HTTP/2 nor TLS nor HTTP/1.1"}
}

// Names are the DNS and URI names of a client's certificate, for people.
func Names(cert *x509.Certificate) string { return shown(namesOf(cert)) }

func namesOf(cert *x509.Certificate) (names []string) {
	names = append(names, cert.DNSNames...)
	for _, uri := range cert.URIs {
		names = append(names, uri.String())
	}
	return names
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9._:/*-]{1,200}$`)

// shown are names of a client's certificate, of which it may have any number.
func shown(names []string) string {
	const most = 5
	if len(names) == 0 {
		return "no DNS or URI name"
	}
	var out []string
	for i, name := range names {
		switch {
		case i == most:
			return strings.Join(out, ", ") + " …"
		case plainName.MatchString(name):
			out = append(out, name)
		default:
			out = append(out, strconv.QuoteToASCII(name[:min(len(name), 200)]))
		}
	}
	return strings.Join(out, ", ")
}
