package parts

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// ChaosProxy stands before an OpenID provider, so that a test can make the provider fail while it runs. It ends TLS.
type ChaosProxy struct {
	URL string // the provider's issuer

	server  *http.Server
	backend atomic.Pointer[url.URL]
	fault   atomic.Pointer[Fault]
	count   atomic.Int64
}

// StartChaosProxy listens with a certificate of a CA, which must have signed the provider's too.
func StartChaosProxy(ca *CA) (*ChaosProxy, error) {
	pair, err := ca.Server()
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &ChaosProxy{URL: "https://" + listener.Addr().String()}
	forward := &httputil.ReverseProxy{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12}},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(p.backend.Load())
			r.Out.Host = r.In.Host // the provider tells its URLs by it
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.count.Add(1)
			if fault := p.fault.Load(); fault != nil {
				(*fault)(w, r, forward)
				return
			}
			forward.ServeHTTP(w, r)
		}),
	}
	go func() { _ = p.server.ServeTLS(listener, "", "") }()
	return p, nil
}

// Forward says which provider is behind the proxy.
func (p *ChaosProxy) Forward(provider *OIDC) error {
	backend, err := url.Parse(provider.base)
	p.backend.Store(backend)
	return err
}

// Fail makes every request fail so, until Heal.
func (p *ChaosProxy) Fail(fault Fault) { p.fault.Store(&fault) }

// Heal ends what Fail began.
func (p *ChaosProxy) Heal() { p.fault.Store(nil) }

// Count is how many requests came so far.
func (p *ChaosProxy) Count() int { return int(p.count.Load()) }

// Stop ends the proxy and every connection to it.
func (p *ChaosProxy) Stop() error { return p.server.Close() }

// Down ends the connection without an answer.
func Down(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

// Slow answers after the caller has given up.
func Slow(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	_, _ = io.Copy(io.Discard, r.Body) // else nobody sees that the caller hung up
	select {
	case <-r.Context().Done():
	case <-time.After(20 * time.Second):
	}
	panic(http.ErrAbortHandler)
}

// Half is the first half of the true answer.
func Half(w http.ResponseWriter, r *http.Request, next http.Handler) {
	whole := httptest.NewRecorder()
	next.ServeHTTP(whole, r)
	w.Header().Set("content-type", whole.Header().Get("content-type"))
	w.WriteHeader(whole.Code)
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
}

// HTML is a page of a proxy that means well.
func HTML(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.Header().Set("content-type", "text/html")
	_, _ = io.WriteString(w, "<html><body>We will be back soon</body></html>")
}

// Broken is an error of the provider.
func Broken(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	http.Error(w, `{"active":true,"keys":[]}`, http.StatusInternalServerError)
}
