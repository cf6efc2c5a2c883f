package parts

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Echo is what the upstream saw of a request, and its answer as JSON.
type Echo struct {
	Method  string      `json:"method"`
	Path    string      `json:"path"` // the request target as it was sent, query included
	Host    string      `json:"host"`
	Headers http.Header `json:"headers"`
	Body    string      `json:"body,omitempty"` // its first 64 KiB
}

// Upstream is the API behind the proxy: an HTTP server in this process that answers 200 with an Echo.
type Upstream struct {
	Address string // host:port

	server *http.Server
	mu     sync.Mutex
	count  int
	last   []Echo
}

const remembered = 1000

// StartUpstream serves on a free loopback port until Stop.
func StartUpstream() (*Upstream, error) { return StartUpstreamOn("127.0.0.1:0") }

// StartUpstreamOn is StartUpstream for another address.
func StartUpstreamOn(address string) (*Upstream, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	u := &Upstream{Address: listener.Addr().String()}
	u.server = &http.Server{Handler: u, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = u.server.Serve(listener) }()
	return u, nil
}

func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	echo := Echo{Method: r.Method, Path: r.RequestURI, Host: r.Host, Headers: r.Header, Body: string(body)}
	u.mu.Lock()
	u.count++
	if len(u.last) == 2*remembered { // under load, memory must not grow
		u.last = append(u.last[:0], u.last[remembered:]...)
	}
	u.last = append(u.last, echo)
	u.mu.Unlock()
	w.Header().Set("content-type", "application/json")
	_ = json.NewEncoder(w).Encode(echo) // a client that hung up is its own business
}

// Count is how many requests reached the upstream so far.
func (u *Upstream) Count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.count
}

// Seen is what reached the upstream, in order of arrival: at least the last 1,000 requests.
func (u *Upstream) Seen() []Echo {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.last)
}

// Stop ends the server and every connection to it.
func (u *Upstream) Stop() error { return u.server.Close() }
