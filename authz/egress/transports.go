package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxTransports bounds how many sets of roots keep their connections.
const maxTransports = 64

// transports holds one connection pool for each set of roots, by content: a
// policy that is compiled again comes with a new, equal pool of certificates.
type transports struct {
	dial func(context.Context, string, string) (net.Conn, error)

	mu     sync.Mutex
	pools  []pool // least recently used first
	closed bool
}

type pool struct {
	roots     *x509.CertPool
	transport *http.Transport
}

func (t *transports) of(roots *x509.CertPool) (*http.Transport, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, errors.New("the client is closed")
	}
	if i := slices.IndexFunc(t.pools, func(p pool) bool { return p.roots.Equal(roots) }); i >= 0 {
		found := t.pools[i]
		t.pools = append(slices.Delete(t.pools, i, i+1), found)
		return found.transport, nil
	}
	if len(t.pools) == maxTransports {
		t.pools[0].transport.CloseIdleConnections()
		t.pools = slices.Delete(t.pools, 0, 1)
	}
	added := pool{roots, t.newTransport(roots)}
	t.pools = append(t.pools, added)
	return added.transport, nil
}

func (t *transports) newTransport(roots *x509.CertPool) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil, // also says no to HTTPS_PROXY
		DialContext:            t.dial,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    timeout,
		Protocols:              &protocols,
		DisableCompression:     true, // what is counted is what was sent
		MaxIdleConnsPerHost:    laneWidth,
		MaxResponseHeaderBytes: maxHeader,
		IdleConnTimeout:        90 * time.Second,
	}
}

func (t *transports) closeIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, p := range t.pools {
		p.transport.CloseIdleConnections()
	}
	t.pools = nil
}

// laneWidth is how many requests go to one origin at once.
const laneWidth = 4

// lanes bounds what an origin has to bear. A lane exists while somebody is in
// it or waits.
type lanes struct {
	mu sync.Mutex
	of map[string]*lane
}

type lane struct {
	places chan struct{}
	users  int
}

// enter waits for a place at origin until ctx ends.
func (l *lanes) enter(ctx context.Context, origin string) (leave func(), err error) {
	here := l.join(origin)
	select {
	case here.places <- struct{}{}:
		return func() { <-here.places; l.part(origin, here) }, nil
	case <-ctx.Done():
		l.part(origin, here)
		return nil, ctx.Err()
	}
}

func (l *lanes) join(origin string) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = map[string]*lane{}
	}
	here := l.of[origin]
	if here == nil {
		here = &lane{places: make(chan struct{}, laneWidth)}
		l.of[origin] = here
	}
	here.users++
	return here
}

func (l *lanes) part(origin string, here *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if here.users--; here.users == 0 {
		delete(l.of, origin)
	}
}
