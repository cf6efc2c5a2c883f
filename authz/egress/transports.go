package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// maxTransports bounds how many sets of roots keep their connections.
const maxTransports = 64

// transports holds one connection pool for each set of roots, by content: a
// policy that is compiled again comes with a new, equal pool of certificates.
type transports struct {
	dial  func(context.Context, string, string) (net.Conn, error)
	proxy *url.URL // nil: none

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
	var proxy func(*http.Request) (*url.URL, error) // nil also says no to HTTPS_PROXY
	if t.proxy != nil {
		proxy = http.ProxyURL(t.proxy)
	}
	return &http.Transport{
		Proxy:                  proxy,
		OnProxyConnectResponse: proxyAnswered,
		DialContext:            t.dial,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    timeout,
		Protocols:              &protocols,
		DisableCompression:     true, // the limit of a body counts bytes as they were sent
		MaxIdleConns:           maxAtOnce,
		MaxIdleConnsPerHost:    maxPerOrigin,
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
