// Package listen opens the port of a door and knows who may ask there. Whoever
// can ask may learn what upstreams are given, so a [Config] opens nothing
// unless it says why every client can be trusted:
//
//   - client certificates of a known authority with a known name (ClientCA and
//     ClientNames),
//   - a loopback address,
//   - the operator's word that the network lets only proxies in (TrustNetwork),
//   - a door that gives nothing away (AnyClient).
//
// Start with [Listen]. It checks the Config, reads the certificate files and
// binds the address. The door serves the [Listener], and its TLS if there is
// any. Changed files are in force after a second at most; files that cannot be
// used change nothing. [LoadCertificates] is for a server that wants the
// reloading alone.
package listen

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"time"
)

// Config is an address and who may ask there.
type Config struct {
	// Address is HOST:PORT to listen on; port 0 is any free one.
	Address string
	// TLSCert and TLSKey are PEM files of the door's certificate chain and
	// its key; both or neither. They are read again when they change.
	TLSCert, TLSKey string
	// Certificate returns the certificate of each handshake, in place of the
	// files TLSCert and TLSKey.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Protocols are those that TLS negotiates (ALPN), as in "h2".
	Protocols []string

	// ClientCA is a PEM file of the authorities that client certificates are
	// required to verify to (with clientAuth usage). It needs TLSCert and
	// ClientNames, and is read again when it changes: connections made before
	// stay.
	ClientCA string
	// ClientNames are the DNS and URI subject alternative names of which a
	// client certificate must carry one, compared as a whole and with case;
	// "*" is any certificate of ClientCA.
	ClientNames []string
	// TrustNetwork is the operator's word that the network lets only the
	// proxies reach this door.
	TrustNetwork bool
	// AnyClient lets everybody ask. It is for a door whose answers tell a
	// stranger nothing.
	AnyClient bool

	// Clock is the time of certificates; default time.Now.
	Clock func() time.Time
	// Flags is what the names of the door's flags begin with, in messages: "webhook-".
	Flags string
	// AddressFlag is the flag of Address, in messages; default --grpc-address.
	AddressFlag string
	// OnError learns of changed certificate files that cannot be used. A panic
	// of it is swallowed.
	OnError func(error)
	// OnLoad learns of the certificate files that came in use: when the certificate
	// ends, and the first of the authorities of ClientCA; zero without it.
	OnLoad func(certificate, clientCA time.Time)
}

// UsageError says that a door was configured in a way that is never right.
type UsageError struct{ Problem string }

func (e *UsageError) Error() string { return e.Problem }

func usage(format string, args ...any) error {
	return &UsageError{Problem: fmt.Sprintf(format, args...)}
}

// Listener is the bound address of a door. Closing it ends the reloading of its
// certificates too.
type Listener struct {
	net.Listener
	// TLS is the configuration of each connection; nil is plaintext.
	TLS *tls.Config

	stop        context.CancelFunc
	clientNames []string
}

// Listen reads the certificates and binds the address. A door that may not be
// opened as configured is a *[UsageError].
func Listen(c Config) (*Listener, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	l, err := c.listen(ctx)
	if err != nil {
		stop()
		return nil, err
	}
	l.stop = stop
	return l, nil
}

func (c *Config) listen(ctx context.Context) (*Listener, error) {
	l := &Listener{clientNames: c.ClientNames}
	switch {
	case c.Certificate != nil:
		l.TLS = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: c.Protocols, GetCertificate: c.Certificate}
	case c.TLSCert != "":
		certs, err := LoadCertificates(*c)
		if err != nil {
			return nil, err
		}
		go certs.Watch(ctx)
		l.TLS = certs.config()
	}
	if _, _, err := net.SplitHostPort(c.Address); err != nil {
		return nil, fmt.Errorf("%s %q: expected HOST:PORT as in 127.0.0.1:9001, or :9001 for every address", c.flag(), c.Address)
	}
	var lc net.ListenConfig
	var err error
	if l.Listener, err = lc.Listen(ctx, "tcp", c.Address); err != nil {
		return nil, fmt.Errorf("%s: cannot listen on %q: %w", c.flag(), c.Address, err)
	}
	if err := c.admit(l.Addr()); err != nil {
		_ = l.Listener.Close()
		return nil, err
	}
	return l, nil
}

// Close frees the address.
func (l *Listener) Close() error {
	l.stop()
	return l.Listener.Close()
}

// check finds what is wrong with the options by themselves.
func (c *Config) check() error {
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return usage("--tls-cert and --tls-key go together: give both or neither")
	case c.ClientCA != "" && c.TLSCert == "":
		return usage("--client-ca needs --tls-cert and --tls-key: client certificates exist only in TLS")
	case slices.Contains(c.ClientNames, ""), c.ClientNames != nil && len(c.ClientNames) == 0:
		return usage("--client-name is empty: expected a DNS or URI SAN, or '*'")
	case c.ClientCA != "" && len(c.ClientNames) == 0:
		return usage("--client-ca needs --client-name: name the proxy's certificate (a DNS or URI SAN), or '*' for any of that authority")
	case c.ClientCA == "" && len(c.ClientNames) > 0:
		return usage("--client-name needs --client-ca: the authority whose certificates are named")
	case c.Certificate != nil && c.TLSCert != "":
		return usage("a door needs one certificate: of files or of a function, and got both")
	}
	return nil
}

// admit decides on the address that was bound, not on the one that was asked
// for: a name may resolve to anything, and an empty host is every interface.
func (c *Config) admit(bound net.Addr) error {
	if c.ClientCA != "" || c.TrustNetwork || c.AnyClient {
		return nil
	}
	if tcp, ok := bound.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		return nil
	}
	return usage("anyone could ask at %s: require client certificates (--client-ca with --client-name), "+
		"use a loopback %s, or say --trust-network if only proxies reach the port: a NetworkPolicy, a mesh or a private Docker network guards it", bound, c.flag())
}

func (c *Config) flag() string { return cmp.Or(c.AddressFlag, "--grpc-address") }
