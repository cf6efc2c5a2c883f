package extauthz

import (
	"fmt"
	"net"
	"slices"
	"time"
)

// Config is what a door needs. Who can ask may learn what upstreams are given,
// so the zero value opens nothing: a door needs client certificates, a loopback
// address, or TrustNetwork.
type Config struct {
	// Address is HOST:PORT to listen on; port 0 is any free one.
	Address string
	// TLSCert and TLSKey are PEM files of the door's certificate chain and
	// its key; both or neither. They are read again when they change.
	TLSCert, TLSKey string
	// ClientCA is a PEM file of the authorities that client certificates are
	// required to verify to (with clientAuth usage). It needs TLSCert and
	// ClientNames, and is read again when it changes: connections made before
	// last at most [MaxConnectionAge] more.
	ClientCA string
	// ClientNames are the DNS and URI subject alternative names of which a
	// client certificate must carry one, compared as a whole and with case;
	// "*" is any certificate of ClientCA.
	ClientNames []string
	// TrustNetwork is the operator's word that the network lets only the
	// proxies reach this door.
	TrustNetwork bool

	// Decider decides; required.
	Decider Decider
	// Clock is the time of a request and of certificates; default time.Now.
	Clock func() time.Time
	// OnPanic learns of a panic in a check, which was answered 503. The value
	// is whatever the code panicked with: log it with care.
	OnPanic func(value any, stack []byte)
	// OnError learns of what the operator should see: changed certificate
	// files that cannot be used, checks that cannot be read, decisions that
	// cannot be written. Its text holds nothing of a request.
	OnError func(error)
}

// UsageError says that the door was configured in a way that is never right.
type UsageError struct{ Problem string }

func (e *UsageError) Error() string { return e.Problem }

func usage(format string, args ...any) error {
	return &UsageError{Problem: fmt.Sprintf(format, args...)}
}

// check finds what is wrong with the options by themselves.
func (c *Config) check() error {
	switch {
	case c.Decider == nil:
		return usage("a door needs a Decider")
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return usage("--tls-cert and --tls-key go together: give both or neither")
	case c.ClientCA != "" && c.TLSCert == "":
		return usage("--client-ca needs --tls-cert and --tls-key: client certificates exist only in TLS")
	case c.ClientCA != "" && len(c.ClientNames) == 0:
		return usage("--client-ca needs --client-name: name the proxy's certificate (a DNS or URI SAN), or '*' for any of that authority")
	case c.ClientCA == "" && len(c.ClientNames) > 0:
		return usage("--client-name needs --client-ca: the authority whose certificates are named")
	case slices.Contains(c.ClientNames, ""):
		return usage("--client-name is empty: expected a DNS or URI SAN, or '*'")
	}
	return nil
}

// complete puts in the defaults. A callback that panics must not end the
// process any more than a check does.
func (c *Config) complete() {
	onPanic, onError := c.OnPanic, c.OnError
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.OnPanic = func(v any, stack []byte) {
		if onPanic != nil {
			defer recoverAll()
			onPanic(v, stack)
		}
	}
	c.OnError = func(err error) {
		if onError != nil {
			defer recoverAll()
			onError(err)
		}
	}
}

func recoverAll() { _ = recover() }

// admit decides on the address that was bound, not on the one that was asked
// for: a name may resolve to anything, and an empty host is every interface.
func (c *Config) admit(bound net.Addr) error {
	if c.ClientCA != "" || c.TrustNetwork {
		return nil
	}
	if tcp, ok := bound.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		return nil
	}
	return usage("anyone could ask at %s: require client certificates (--client-ca with --client-name), "+
		"use a loopback --grpc-address, or say --trust-network if a NetworkPolicy or mesh guards the port", bound)
}
