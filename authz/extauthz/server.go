package extauthz

import (
	"context"
	"errors"
	"net"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

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
	// handshakeTimeout is for TLS and HTTP/2 settings of a new connection.
	handshakeTimeout = 10 * time.Second
)

// Server is an open door.
type Server struct {
	listener net.Listener
	grpc     *grpc.Server
	health   *healthServer
}

// Listen binds the address and reads the certificates; [Server.Serve] then
// answers. A door that may not be opened as configured is a *[listen.UsageError].
func Listen(c Config) (*Server, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	listener, err := listen.Listen(c.Listen)
	if err != nil {
		return nil, err
	}
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec(&c)),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: MaxConnectionAge, MaxConnectionAgeGrace: 30 * time.Second,
			Time: 30 * time.Second, Timeout: 10 * time.Second,
		}),
		// Envoy pings idle connections at whatever interval it was told.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	}
	if listener.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(listener.TLS)))
	}
	s := &Server{listener: listener, grpc: grpc.NewServer(options...), health: newHealth()}
	authv3.RegisterAuthorizationServer(s.grpc, &checker{
		decider: c.Decider, clock: c.Clock, onPanic: c.OnPanic, onError: c.OnError,
	})
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

// SetReady says whether grpc.health.v1 answers SERVING, which it does not
// before the first call, nor after Shutdown. Checks are answered regardless.
func (s *Server) SetReady(ready bool) { s.health.setReady(ready) }

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
