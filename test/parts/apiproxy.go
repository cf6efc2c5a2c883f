package parts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// APIProxy stands between one client and the API server, so that a test can make the API server fail for
// that client alone. It ends TLS, speaks HTTP/1.1 and asks for JSON without compression, so that an answer
// can be cut where a reader sees it.
type APIProxy struct {
	Kubeconfig string // of the client, with the proxy for a server

	server  *http.Server
	forward http.Handler

	mu        sync.Mutex
	fault     Fault
	refusing  bool
	refused   int
	requests  []APIRequest
	watches   map[*watchStream]bool
	listening map[net.Conn]bool
}

// Fault answers a request instead of the API server, or lets next do it.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// APIRequest is a request that came to the proxy, and when.
type APIRequest struct {
	Method string
	URL    *url.URL
	At     time.Time
}

// Resource is the plural that the request is about, with its subresource: "secrets",
// "agentauthpolicies/status".
func (r APIRequest) Resource() string {
	elem := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")[2:] // without api/v1, or apis/GROUP
	if elem[0] != "" && strings.HasPrefix(r.URL.Path, "/apis/") {
		elem = elem[1:] // the version
	}
	if len(elem) > 2 && elem[0] == "namespaces" {
		elem = elem[2:]
	}
	if len(elem) > 2 {
		return elem[0] + "/" + elem[2]
	}
	return elem[0]
}

// Lists says whether the request reads all there is of a kind, in either of the two ways: a list, or a watch
// that begins with what there is.
func (r APIRequest) Lists() bool {
	q := r.URL.Query()
	named := strings.HasSuffix(r.Resource(), "/status") || r.Resource() == "leases"
	return r.Method == http.MethodGet && !named && (q.Get("watch") == "" || q.Get("sendInitialEvents") == "true")
}

// Watches says whether the request waits for changes.
func (r APIRequest) Watches() bool { return r.URL.Query().Get("watch") != "" }

// StartAPIProxy stands before the cluster's API server for a client that has this kubeconfig. The
// client's is in dir.
func (c *Cluster) StartAPIProxy(dir, kubeconfig string) (*APIProxy, error) {
	backend, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	trusted, err := os.ReadFile(c.ca())
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	p := &APIProxy{watches: map[*watchStream]bool{}, listening: map[net.Conn]bool{}}
	p.forward = &httputil.ReverseProxy{
		FlushInterval: -1,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(backend)
			r.Out.Header.Set("Accept", "application/json")
			r.Out.Header.Set("Accept-Encoding", "identity")
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}

	ca, err := NewCA("a proxy")
	if err != nil {
		return nil, err
	}
	pair, err := ca.Server()
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return nil, err
	}
	caFile, err := ca.Write(dir, "apiproxy-ca")
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(kubeconfig)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	p.Kubeconfig = filepath.Join(dir, "apiproxy.kubeconfig")
	if err := os.WriteFile(p.Kubeconfig, []byte(strings.NewReplacer(
		c.URL, "https://"+listener.Addr().String(), c.ca(), caFile,
	).Replace(string(content))), 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	p.server = &http.Server{
		Handler: p, ReadHeaderTimeout: readyWithin,
		TLSConfig:    &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1: a watch is a connection
		ErrorLog:     nobodys(),
	}
	go func() { _ = p.server.ServeTLS(&door{listener, p}, "", "") }()
	return p, nil
}

// Stop ends the proxy and all that goes through it.
func (p *APIProxy) Stop() error { return p.server.Close() }

// Do has every request from now on answered by fault; nil is the API server.
func (p *APIProxy) Do(fault Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

// Requests are those that came and are wanted.
func (p *APIProxy) Requests(wanted func(APIRequest) bool) []APIRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []APIRequest
	for _, r := range p.requests {
		if wanted(r) {
			out = append(out, r)
		}
	}
	return out
}

// ServeHTTP notes a request and has it answered.
func (p *APIProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := APIRequest{r.Method, r.URL, time.Now()}
	p.mu.Lock()
	p.requests = append(p.requests, request)
	fault := p.fault
	p.mu.Unlock()
	next := p.forward
	if request.Watches() {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		stream := &watchStream{ResponseWriter: w, end: cancel}
		p.open(stream, true)
		defer p.open(stream, false)
		w, r = stream, r.WithContext(ctx)
	}
	if fault == nil {
		next.ServeHTTP(w, r)
		return
	}
	fault(w, r, next)
}

func (p *APIProxy) open(s *watchStream, yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if yes {
		p.watches[s] = true
	} else {
		delete(p.watches, s)
	}
}

// EndWatches sends an event to every watch that is open, if it is not "", and ends it. It returns how many
// there were.
func (p *APIProxy) EndWatches(event string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.watches {
		s.last(event)
	}
	return len(p.watches)
}

// watchStream is an open watch.
type watchStream struct {
	http.ResponseWriter
	end context.CancelFunc

	mu    sync.Mutex
	begun bool
	over  bool
}

// Write passes a part of the stream on.
func (s *watchStream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return 0, errors.New("the test ended the watch")
	}
	return s.ResponseWriter.Write(b)
}

// WriteHeader begins the stream.
func (s *watchStream) WriteHeader(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.begun = true
		s.ResponseWriter.WriteHeader(status)
	}
}

// FlushError sends what was written.
func (s *watchStream) FlushError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	return http.NewResponseController(s.ResponseWriter).Flush()
}

func (s *watchStream) last(event string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.over = true
	if s.begun && event != "" {
		fmt.Fprintln(s.ResponseWriter, event)
		_ = http.NewResponseController(s.ResponseWriter).Flush() // the client may be gone
	}
	s.end()
}
