package webhook

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
)

// What one source may hold, so that others find room beside it. API servers keep
// few connections, and ask for several reviews on one.
const (
	maxConnectionsOfSource = 16
	maxBytes               = 16 * maxBody // of bodies, of all
	maxBytesOfSource       = maxBytes / 4
	maxAtOnce              = 64 // reviews of a source that are answered or wait
)

var errBusy = errors.New("other reviews of this address are before this one")

// sourceOf is whom the work for a client counts for: its address, of which nobody
// can pretend another, while a review says any namespace it likes. Of IPv6 it is
// the network, which is often one machine's.
func sourceOf(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	address := at.Addr().Unmap().WithZone("")
	if address.Is6() {
		network, _ := address.Prefix(64)
		return network.String()
	}
	return address.String()
}

// shares are the bytes that bodies may take, of all and of each source. A share
// is kept while it is used.
type shares struct {
	mu     sync.Mutex
	bytes  int64
	of     map[string]*share
	change chan struct{} // closed when bytes are given back
}

type share struct {
	bytes   int64
	reviews int
}

func newShares() *shares { return &shares{of: map[string]*share{}, change: make(chan struct{})} }

// enter waits for room for a body of so many bytes, until leave is called.
func (s *shares) enter(ctx context.Context, source string, bytes int64) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.of[source]
	if mine == nil {
		mine = &share{}
		s.of[source] = mine
	}
	if mine.reviews == maxAtOnce {
		return nil, errBusy
	}
	mine.reviews++
	for s.bytes+bytes > maxBytes || mine.bytes+bytes > maxBytesOfSource {
		change := s.change
		s.mu.Unlock()
		select {
		case <-change:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if ctx.Err() != nil {
			s.give(source, 0)
			return nil, ctx.Err()
		}
	}
	s.bytes += bytes
	mine.bytes += bytes
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.give(source, bytes)
	}, nil
}

func (s *shares) give(source string, bytes int64) {
	mine := s.of[source]
	s.bytes -= bytes
	mine.bytes -= bytes
	if mine.reviews--; mine.reviews == 0 {
		delete(s.of, source)
	}
	close(s.change)
	s.change = make(chan struct{})
}

// sharedListener closes what a source opens beyond its share.
type sharedListener struct {
	net.Listener
	mu   sync.Mutex
	open map[string]int
}

func (l *sharedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		source := sourceOf(conn.RemoteAddr().String())
		if l.add(source) {
			return &sharedConn{Conn: conn, closed: sync.OnceFunc(func() { l.remove(source) })}, nil
		}
		_ = conn.Close()
	}
}

func (l *sharedListener) add(source string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[source] == maxConnectionsOfSource {
		return false
	}
	l.open[source]++
	return true
}

func (l *sharedListener) remove(source string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[source]--; l.open[source] == 0 {
		delete(l.open, source)
	}
}

type sharedConn struct {
	net.Conn
	closed func()
}

func (c *sharedConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}
