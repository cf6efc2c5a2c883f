package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"github.com/agentauth-dev/agentauth/authz/listen"
)

const (
	// maxConnections and maxUnread bound what strangers at the port can make the
	// process hold, which decides requests too.
	maxConnections = 256
	maxUnread      = 64 << 10 // bytes of a connection that nobody read yet
)

// Config is a webhook. All of it is needed.
type Config struct {
	// Address to listen at, as in ":9443".
	Address string
	// Certificate is asked for at every handshake.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Judge       Judge
	Log         *slog.Logger
	// Reviewed is told of every answer: [Allowed], [Refused] or [Failed].
	Reviewed func(result string)
}

// Server is a webhook that listens.
type Server struct {
	listener net.Listener
	http     *http.Server
}

// Listen binds the address; [Server.Serve] then answers.
func Listen(c Config) (*Server, error) {
	// API servers seldom show a client certificate.
	listener, err := listen.Listen(listen.Config{Address: c.Address, AddressFlag: "--webhook-address", Certificate: c.Certificate, AnyClient: true})
	if err != nil {
		return nil, err
	}
	shared := &sharedListener{Listener: listener, open: map[string]int{}}
	return &Server{listener: netutil.LimitListener(shared, maxConnections), http: &http.Server{
		Handler:           newHandler(&c),
		TLSConfig:         listener.TLS,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: maxTime, WriteTimeout: 2 * maxTime, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
		HTTP2:          &http.HTTP2Config{MaxReceiveBufferPerConnection: maxUnread, MaxReceiveBufferPerStream: maxUnread, MaxReadFrameSize: maxUnread},
		// What strangers do at the port is not worth more.
		ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}}, nil
}

// Addr is the address that was bound.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve answers until [Server.Shutdown], and then returns nil.
func (s *Server) Serve() error {
	if err := s.http.ServeTLS(s.listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown takes no new connections and waits for the reviews under way; when
// ctx ends it cuts them off and returns the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	defer func() { _ = s.http.Close() }()
	defer s.listener.Close() // of one that never served
	return s.http.Shutdown(ctx)
}
