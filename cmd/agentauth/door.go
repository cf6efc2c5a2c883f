package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/agentauth-dev/agentauth/authz/extauthz"
	"github.com/agentauth-dev/agentauth/authz/listen"
	"github.com/agentauth-dev/agentauth/telemetry"
)

// door is the ext_authz door, or none.
type door struct{ server *extauthz.Server }

// openDoor binds the address. Checks wait for start.
func (s *service) openDoor() (door, error) {
	f := s.flags
	if f.grpcAddress == "" {
		return door{}, f.explain.unused()
	}
	server, err := extauthz.Listen(extauthz.Config{
		Listen: listen.Config{
			Address: f.grpcAddress,
			TLSCert: f.tlsCert, TLSKey: f.tlsKey,
			ClientCA: f.clientCA, ClientNames: f.clientNames,
			TrustNetwork: f.trustNetwork,
			OnLoad:       s.certificatesLoaded,
		},
		Explain:   s.explain(),
		Decider:   s.tracing.Observe(s.decisions.Observe(extauthz.Writable(s.kernel))),
		OnPanic:   s.decisions.Panicked,
		OnRefused: (&telemetry.Refusals{Log: s.log, Metrics: s.metrics}).Refused,
		OnError:   func(err error) { s.log.Error("ext_authz door", "error", err.Error()) },
	})
	if err != nil {
		return door{}, exit{exitUsage, err}
	}
	return door{server}, nil
}

// certificatesLoaded says when the door's certificates end.
func (s *service) certificatesLoaded(certificate, clientCA time.Time) {
	s.metrics.Certificate("door", certificate)
	if !clientCA.IsZero() {
		s.metrics.Certificate("door_client_ca", clientCA)
	}
}

func (d door) start(s *service) {
	if d.server == nil {
		return
	}
	go func() { s.failed <- d.server.Serve() }()
	about := []any{"door", "ext_authz", "address", d.server.Addr().String()}
	if tcp, ok := d.server.Addr().(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		about = append(about, "reachable", onLoopback)
	}
	s.log.Info("listening", about...)
}

// onLoopback is for whoever starts agentauth in a container and a proxy in
// another.
const onLoopback = "from this host, container or pod only: it is a loopback address; for a proxy elsewhere set --grpc-address :9001, " +
	"with --client-ca and --client-name, or with --trust-network where only proxies reach the port, as in a private Docker network"

func (d door) setReady(ready bool) {
	if d.server != nil {
		d.server.SetReady(ready)
	}
}

func (d door) close(drain time.Duration) error {
	if d.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := d.server.Shutdown(ctx); err != nil {
		return fmt.Errorf("checks were still under way after %s and were cut off", drain)
	}
	return nil
}

// probes is the server of /metrics, /healthz, /readyz and /jwks, or none.
type probes struct {
	server   *http.Server
	listener net.Listener
}

// probesWriteTimeout bounds how long whoever reads an answer slowly holds one of the few
// scrapes that are answered at once.
const probesWriteTimeout = 30 * time.Second

// openProbes binds the address. Requests wait for start.
func (s *service) openProbes() (probes, error) {
	if s.flags.metricsAddress == "" {
		return probes{}, nil
	}
	listener, err := net.Listen("tcp", s.flags.metricsAddress)
	if err != nil {
		return probes{}, usage("--metrics-address: %v", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.Handle("GET /readyz", s.readiness)
	mux.Handle("GET /jwks/{namespace}/{secret}", &telemetry.PublishedKeys{Of: s.kernel.Published, Serving: s.readiness.Serving})
	mux.Handle("GET /healthz", s.liveness)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: probesWriteTimeout, IdleTimeout: time.Minute}
	return probes{server, listener}, nil
}

func (p probes) start(s *service) {
	if p.server == nil {
		return
	}
	go func() {
		if err := p.server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
}

func (p probes) close() {
	if p.server == nil {
		return
	}
	_ = p.server.Close()   // the process ends
	_ = p.listener.Close() // where it was never served
}
