package extauthz

import (
	"context"
	"errors"
	"net"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/agentauth-dev/agentauth/authz/listen"
)

// MaxConnectionAge is how long a connection lasts before the proxy is asked,
// without loss, to make a new one. It bounds how long a client certificate is
// believed whose authority was removed.
const MaxConnectionAge = time.Hour

const (
	// maxMessage is what is received of one message, in bytes. It is above
	// maxCheck so that a check that is too large still gets an answer.
	maxMessage = 8 << 20
	// maxStreams is how many checks one connection may have under way; Envoy
	// opens another connection beyond that.
	maxStreams = 512
	// streamWindow and connectionWindow are how much of one check, and of all checks
	// of a connection, may be under way, in bytes. They do not grow: a measurement of
	// the network for each is dearer than what it gains on a local network.
	streamWindow, connectionWindow = 256 << 10, 1 << 20
	// streamWorkers is how many goroutines wait for checks: as many as are usually
	// under way at once. Beyond them each check begins its own.
	streamWorkers = 64
	// handshakeTimeout is for TLS and HTTP/2 settings of a new connection.
	handshakeTimeout = 10 * time.Second
)

// Server is an open door.
type Server struct {
	listener net.Listener
	grpc     *grpc.Server
	health   healthServer
}

// Listen binds the address and reads the certificates; [Server.Serve] then
// answers. A door that may not be opened as configured is a *[listen.UsageError].
func Listen(c Config) (*Server, error) {
	checks := c.Listen.ClientNames
	if err := c.complete(); err != nil {
		return nil, err
	}
	listener, err := listen.Listen(c.Listen)
	if err != nil {
		return nil, err
	}
	if err := c.Explain.admit(listener.Addr()); err != nil {
		_ = listener.Close()
		return nil, err
	}
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec(&c)),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: MaxConnectionAge, MaxConnectionAgeGrace: 30 * time.Second,
			Time: 30 * time.Second, Timeout: 10 * time.Second,
		}),
		// Envoy pings idle connections at whatever interval it was told.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	}
	options = append(options, grpc.Creds(newHandshake(listener.TLS, c.OnRefused, c.clients(checks, listener.Client))))
	s := &Server{listener: listener, grpc: grpc.NewServer(options...), health: healthServer{health.NewServer()}}
	s.SetReady(false) // a new health.Server says SERVING
	explainer := newExplainer(&c)
	checker := &checker{decider: c.Decider, clock: c.Clock, onPanic: c.OnPanic, onError: c.OnError, mayCheck: explainer.mayCheck}
	s.grpc.RegisterService(checker.service(), nil)
	s.grpc.RegisterService(explainer.service(), nil)
	healthpb.RegisterHealthServer(s.grpc, s.health)
	return s, nil
}

// Addr is the address that was bound.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve answers until [Server.Shutdown], and then returns nil.
func (s *Server) Serve() error {
	if err := s.grpc.Serve(s.listener); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// Shutdown says NOT_SERVING, takes no new connections and waits for the checks
// under way; when ctx ends it cuts them off and returns the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.listener.Close() // for a door that never served
	s.health.Shutdown()
	done := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.grpc.Stop()
		return ctx.Err()
	}
}

// Config is what a door needs.
type Config struct {
	// Listen is the address and who may ask there. Its Protocols, Clock and
	// OnError are the door's. A connection lasts at most [MaxConnectionAge]
	// after the authority of its client was removed.
	Listen listen.Config
	// Decider decides; required.
	Decider Decider
	// Explain says who may have decisions explained.
	Explain Explain
	// Clock is the time of a request and of certificates; default time.Now.
	Clock func() time.Time
	// OnPanic learns of a panic in a check, which was answered 503. The value
	// is whatever the code panicked with: log it with care.
	OnPanic func(value any, stack []byte)
	// OnError learns of what the operator should see: changed certificate
	// files that cannot be used, checks that cannot be read, decisions that
	// cannot be written. Its text holds nothing of a request.
	OnError func(error)
	// OnRefused learns of clients that were refused before they could ask. It
	// should return soon, and is called from many goroutines.
	OnRefused func(listen.Refusal)
}

// complete puts in the defaults. A callback that panics must not end the
// process any more than a check does.
func (c *Config) complete() error {
	if c.Decider == nil {
		return &listen.UsageError{Problem: "a door needs a Decider"}
	}
	onPanic, onError, onRefused := c.OnPanic, c.OnError, c.OnRefused
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
	c.OnRefused = func(r listen.Refusal) {
		if onRefused != nil {
			defer recoverAll()
			onRefused(r)
		}
	}
	c.Listen.Protocols, c.Listen.Clock, c.Listen.OnError = []string{"h2"}, c.Clock, c.OnError
	return c.Explain.complete(&c.Listen)
}

func recoverAll() { _ = recover() }

// healthServer is grpc.health.v1 without watches, which the protocol has a
// server answer with Unimplemented. Envoy and Kubernetes ask with Check, and a
// watch would hold up a graceful stop for as long as its client likes.
type healthServer struct{ *health.Server }

// Watch implements grpc.health.v1.
func (healthServer) Watch(*healthpb.HealthCheckRequest, healthpb.Health_WatchServer) error {
	return status.Error(codes.Unimplemented, "health is not watched here: use Check")
}

// SetReady says whether grpc.health.v1 answers SERVING, for the server as a
// whole ("") and for the Authorization service. It answers NOT_SERVING before the
// first call, and after Shutdown. Checks are answered regardless.
func (s *Server) SetReady(ready bool) {
	is := healthpb.HealthCheckResponse_NOT_SERVING
	if ready {
		is = healthpb.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", is)
	s.health.SetServingStatus(authv3.Authorization_ServiceDesc.ServiceName, is)
}
