package forward

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/agentauth-dev/agentauth/authz/listen"
)

// told tells of each client that is refused, which net/http does in a log only.
type told struct {
	*listen.Listener
	refused func(listen.Refusal)
}

// Accept implements net.Listener.
func (l *told) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, raw: &counted{Conn: raw}, refused: l.refused, began: time.Now()}
	c.proxy = sync.OnceValue(func() string {
		if c.tls == nil {
			return l.Client(nil)
		}
		state := c.tls.ConnectionState()
		return l.Client(&state)
	})
	if l.TLS != nil {
		c.tls = tls.Server(c.raw, l.TLS)
		c.Conn = c.tls
	}
	return c, nil
}

// conn is a connection of which the first bytes are looked at. net/http reads from it as
// from any other, and does not know of its TLS.
type conn struct {
	net.Conn
	raw     *counted
	tls     *tls.Conn
	refused func(listen.Refusal)
	done    bool
	began   time.Time
	// proxy is who asks, for records; known once a request came.
	proxy func() string
}

// connection is the key of the *conn of a request.
type connection struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connection{}, c)
}

func connOf(ctx context.Context) (c *conn, ok bool) {
	c, ok = ctx.Value(connection{}).(*conn)
	return c, ok
}

// Proxy is who asked: the name of a client certificate, or a word of package listen; "" if
// nobody asked at a door of this package. ctx is that of a [Decider].
func Proxy(ctx context.Context) string {
	if c, ok := connOf(ctx); ok {
		return c.proxy()
	}
	return ""
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.done {
		return n, err
	}
	c.done = n > 0 || err != nil
	switch {
	case c.tls != nil && err != nil && !c.tls.ConnectionState().HandshakeComplete:
		if r, ok := listen.OfHandshake(err, c.raw.read); ok {
			c.tell(r)
		}
	case c.tls == nil && n > 0 && b[0] == recordTypeHandshake:
		c.tell(listen.OfFirstByte(b[0], false))
	}
	return n, err
}

const recordTypeHandshake = 0x16

func (c *conn) tell(r listen.Refusal) {
	r.Peer = c.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(r.Peer); err == nil {
		r.Peer = host
	}
	c.refused(r)
}

// counted knows whether anything came.
type counted struct {
	net.Conn
	read bool
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read = c.read || n > 0
	return n, err
}
