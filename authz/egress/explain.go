package egress

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
)

// explain replaces an error of net/http by a text of this package. The library's
// errors quote the server: header lines, status lines, names in a certificate.
func explain(err error) error {
	var refused *refusedError
	var proxy *proxyError
	var lookup *net.DNSError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &proxy):
		return proxy
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return errors.New("the host name does not resolve")
	case errors.As(err, &lookup):
		return errors.New("the host name cannot be looked up now")
	case errors.As(err, &cert):
		return explainCertificate(cert.Err)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return errors.New("the server does not speak TLS")
	case errors.As(err, &op) && op.Op == "dial":
		return explainDial(op)
	case errors.As(err, &op) && op.Op == "remote error": // a TLS alert, of a fixed list
		return fmt.Errorf("the server ended the TLS handshake: %s", op.Err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("the answer ended early")
	}
	return errors.New("the connection broke, or the answer is no readable HTTP")
}

func explainDial(op *net.OpError) error {
	var errno syscall.Errno
	switch {
	case op.Addr == nil:
		return errors.New("cannot connect")
	case errors.As(op.Err, &errno):
		return fmt.Errorf("cannot connect to %s: %s", op.Addr, errno)
	}
	return fmt.Errorf("cannot connect to %s", op.Addr)
}

func explainCertificate(err error) error {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &authority):
		return errors.New("the server's certificate is signed by no authority that is trusted here: see caCertificates")
	case errors.As(err, &host):
		return errors.New("the server's certificate is for another host")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return errors.New("the server's certificate is expired or not valid yet")
	}
	return errors.New("the server's certificate does not verify")
}
