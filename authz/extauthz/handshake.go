package extauthz

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"

	"github.com/agentauth-dev/agentauth/authz/listen"
)

// handshake are the credentials of the door. They tell of each client that is
// refused, which grpc does not: because of TLS, or since it speaks no HTTP/2. Its
// connections wait as poller says, once they have begun HTTP/2.
type handshake struct {
	credentials.TransportCredentials
	overTLS bool
	refused func(listen.Refusal)
	// clients says who a client is; its state is nil in plaintext.
	clients func(*tls.ConnectionState) client
	poller  *poller
}

// newHandshake takes nil for plaintext.
func newHandshake(config *tls.Config, refused func(listen.Refusal), clients func(*tls.ConnectionState) client) credentials.TransportCredentials {
	if config == nil {
		return handshake{insecure.NewCredentials(), false, refused, clients, newPoller()}
	}
	return handshake{credentials.NewTLS(config), true, refused, clients, newPoller()}
}

// client is who asks on a connection, and what it may do. It is found out once, when the
// connection begins.
type client struct {
	credentials.AuthInfo
	// proxy is who it is, for records.
	proxy string
	// names are those of its certificate, for people, where the door tells clients apart.
	names string
	// checks: it may ask for checks. explains is the name by which it may have decisions
	// explained; "" is that it may not.
	checks   bool
	explains string
}

// Proxy is who asked: the name of a client certificate, or a word of package listen; "" if
// nobody asked at a door of this package. ctx is that of a [Decider].
func Proxy(ctx context.Context) string {
	c, _ := clientOf(ctx)
	return c.proxy
}

// clientOf is the client of a call; ok is false for a call that came through no door.
func clientOf(ctx context.Context) (c client, ok bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return c, false
	}
	c, ok = p.AuthInfo.(client)
	return c, ok
}

// Clone implements credentials.TransportCredentials.
func (h handshake) Clone() credentials.TransportCredentials {
	return handshake{h.TransportCredentials.Clone(), h.overTLS, h.refused, h.clients, h.poller}
}

// ServerHandshake implements credentials.TransportCredentials.
func (h handshake) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	tell := func(r listen.Refusal) {
		r.Peer = hostOf(raw.RemoteAddr())
		h.refused(r)
	}
	polled, trust := h.poller.of(raw)
	counted := &countedConn{Conn: polled}
	conn, info, err := h.TransportCredentials.ServerHandshake(counted)
	if err != nil {
		if r, ok := listen.OfHandshake(err, counted.read); ok {
			tell(r)
		}
		return nil, nil, err
	}
	var state *tls.ConnectionState
	if t, ok := info.(credentials.TLSInfo); ok {
		state = &t.State
	}
	c := h.clients(state)
	c.AuthInfo = info
	return &preface{Conn: conn, overTLS: h.overTLS, tell: tell, begun: trust}, c, nil
}

// hostOf is an address without its port.
func hostOf(addr net.Addr) string {
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	return host
}

// countedConn knows whether anything came.
type countedConn struct {
	net.Conn
	read bool
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read = c.read || n > 0
	return n, err
}

// clientPreface is what every client of HTTP/2 sends first (RFC 9113 3.4).
const clientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// preface compares the first bytes of a connection with clientPreface. It holds
// nothing back: what is read is read as without it. Its reads come one after the other.
type preface struct {
	net.Conn
	overTLS bool
	tell    func(listen.Refusal)
	begun   func()

	first byte
	got   int
	done  bool
}

func (p *preface) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	if !p.done {
		p.look(b[:n], err)
	}
	return n, err
}

func (p *preface) look(b []byte, err error) {
	if p.got == 0 && len(b) > 0 {
		p.first = b[0]
	}
	want := clientPreface[p.got:]
	b = b[:min(len(b), len(want))]
	p.got += len(b)
	switch {
	case string(b) != want[:len(b)]:
		p.done = true
		p.tell(listen.OfFirstByte(p.first, p.overTLS))
	case p.got == len(clientPreface):
		p.done = true
		p.begun()
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.done = true
		p.tell(listen.Refusal{Cause: listen.CauseSlow, Problem: "it began no HTTP/2 within 10 seconds"})
	case err != nil:
		p.done = true
	}
}
