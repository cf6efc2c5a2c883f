package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/listen"
)

const (
	// maxConnectionAge is how long a connection lasts before its proxy is told to make a
	// new one. It bounds how long a client certificate is believed whose authority was
	// removed.
	maxConnectionAge = time.Hour
	// maxHeader bounds the headers of a subrequest, in bytes.
	maxHeader = 128 << 10
	// headerTimeout is for TLS and the headers of a subrequest, readTimeout for all of it.
	headerTimeout, readTimeout = 10 * time.Second, 20 * time.Second
	// idleTimeout is above what proxies keep connections for.
	idleTimeout = 5 * time.Minute
	// deadline is how long a decision may take. Proxies do not say when they give up.
	deadline = 5 * time.Second
)

// Config is what a door needs.
type Config struct {
	// Listen is the address and who may ask there. Its Protocols, Clock and OnError are
	// the door's.
	Listen listen.Config
	// Dialect is how the proxies ask; required.
	Dialect Dialect
	// Names are the headers, in lower case, that the proxies take from an allowance, as
	// [Within] has them. Envoy is told what changes and needs none here.
	Names []string
	// TrustForwarded leaves the headers of which the proxy is the author among those of
	// the request.
	TrustForwarded bool
	// TrustXFCC says that policies believe x-forwarded-client-cert. Envoy alone writes it
	// over a caller's own: a subrequest of any other proxy that has it is refused then.
	TrustXFCC bool
	// Decider decides, within [Within]; required.
	Decider Decider
	// Clock is the time of a request and of certificates; default time.Now.
	Clock func() time.Time
	// OnPanic learns of a panic in a check, which was answered 503.
	OnPanic func(value any, stack []byte)
	// OnError learns of what the operator should see: changed certificate files that
	// cannot be used, subrequests that cannot be read, decisions that cannot be written.
	// Its text holds nothing of a request.
	OnError func(error)
	// OnRefused learns of clients that were refused before they could ask.
	OnRefused func(listen.Refusal)
}

// Server is an open door.
type Server struct {
	dialect        *dialect
	names          []string
	trustForwarded bool
	refuseXFCC     bool
	decider        Decider
	clock          func() time.Time
	onPanic        func(any, []byte)
	onError        func(error)
	listener       *listen.Listener
	refused        func(listen.Refusal)
	http           *http.Server
}

// Listen binds the address and reads the certificates; [Server.Serve] then answers. A
// door that may not be opened as configured is a *[listen.UsageError].
func Listen(c Config) (*Server, error) {
	switch {
	case c.Decider == nil:
		return nil, &listen.UsageError{Problem: "a door needs a Decider"}
	case c.Dialect == 0 || int(c.Dialect) >= len(dialects):
		return nil, &listen.UsageError{Problem: "--http-address needs --http-dialect: " + strings.Join(Dialects(), ", ")}
	}
	for _, name := range c.Names {
		if !authz.ValidFieldName(name) || strings.ToLower(name) != name || Reserved(name) {
			return nil, &listen.UsageError{Problem: fmt.Sprintf("--http-headers %q: expected the name of a header that a proxy can set for its upstream", name)}
		}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	s := &Server{
		dialect: c.Dialect.of(), names: c.Names, trustForwarded: c.TrustForwarded, decider: c.Decider, clock: c.Clock,
		refuseXFCC: c.TrustXFCC && c.Dialect != Envoy,
		onPanic:    func(v any, stack []byte) { safely(func() { c.OnPanic(v, stack) }) },
		onError:    func(err error) { safely(func() { c.OnError(err) }) },
		refused:    func(r listen.Refusal) { safely(func() { c.OnRefused(r) }) },
	}
	if s.names == nil {
		s.names = usual
	}
	c.Listen.Protocols, c.Listen.Clock, c.Listen.OnError = []string{"http/1.1"}, c.Clock, s.onError
	var err error
	if s.listener, err = listen.Listen(c.Listen); err != nil {
		return nil, err
	}
	s.http = &http.Server{
		DisableGeneralOptionsHandler: true, // it answers 200 to OPTIONS *, which would be an allowance
		Handler:                      s, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog:    log.New(io.Discard, "", 0), // it would hold what a client sent
		ConnContext: withConn,
	}
	return s, nil
}

// safely calls a callback, which may be nil, and which must not end the process any more
// than a check does.
func safely(call func()) {
	defer func() { _ = recover() }()
	call()
}

// Addr is the address that was bound.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve answers until [Server.Shutdown], and then returns nil.
func (s *Server) Serve() error {
	if err := s.http.Serve(&told{s.listener, s.refused}); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown takes no new connections and waits for the checks under way; when ctx ends it
// cuts them off and returns the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	defer func() { _ = s.listener.Close() }() // for a door that never served
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close()
	}
	return err
}

// ServeHTTP answers a subrequest. It never panics.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c, ok := connOf(r.Context()); ok && time.Since(c.began) > maxConnectionAge {
		w.Header().Set("connection", "close")
	}
	raw, d := s.decide(r)
	if err := s.answer(w, &raw, &d); err != nil {
		s.onError(fmt.Errorf("a decision cannot be written for the proxy and is answered 503: %w", err))
		s.refuse(w, &unavailable)
	}
}

// decide is the decision on the request that a subrequest is about.
func (s *Server) decide(r *http.Request) (raw authz.Raw, d authz.Decision) {
	defer func() {
		if v := recover(); v != nil {
			d = unavailable
			s.onPanic(v, debug.Stack())
		}
	}()
	raw, err := s.original(r)
	if err != nil {
		s.onError(fmt.Errorf("a subrequest cannot be read and is refused: %w", err))
		raw = unreadable(r, &raw)
	}
	ctx, cancel := context.WithTimeout(r.Context(), deadline)
	defer cancel()
	return raw, s.decider.Decide(ctx, raw)
}

// unreadable is what is known of a request whose subrequest cannot be read: who asked, for
// which host, and by which ids. It has no method, so that it is refused.
func unreadable(r *http.Request, raw *authz.Raw) authz.Raw {
	out := authz.Raw{ID: raw.ID, Host: raw.Host, Source: raw.Source, Time: raw.Time}
	for _, value := range r.Header[http.CanonicalHeaderKey("traceparent")] {
		out.Headers = append(out.Headers, authz.Header{Name: "traceparent", Value: value})
	}
	return out
}
