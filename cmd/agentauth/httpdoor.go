package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	forwardauth "github.com/agentauth-dev/agentauth/authz/forward"
	"github.com/agentauth-dev/agentauth/authz/listen"
	"github.com/agentauth-dev/agentauth/telemetry"
)

// forwardFlags are those of the HTTP door. Its TLS and its clients are those of the other.
type forwardFlags struct {
	address, dialect string
	headers          []string
}

func (f *forwardFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.address, "http-address", "", `address of the HTTP door, for proxies that ask over HTTP; "" turns it off`)
	flags.StringVar(&f.dialect, "http-dialect", "", "how proxies ask at the HTTP door: "+strings.Join(forwardauth.Dialects(), ", "))
	flags.StringSliceVar(&f.headers, "http-headers", nil,
		"headers that the proxy takes from the answers of the HTTP door: what policies set and strip; a request that needs another one is refused (repeatable)")
	oneOf(cmd, "http-dialect", forwardauth.Dialects()...)
}

func (f *forwardFlags) check() error {
	if f.address == "" && (f.dialect != "" || f.headers != nil) {
		return usage("--http-dialect and --http-headers are for the HTTP door: give --http-address too, as in --http-address 127.0.0.1:9002")
	}
	if f.address == "" {
		return nil
	}
	if f.dialect == "" {
		return usage("--http-address needs --http-dialect: expected one of %s", strings.Join(forwardauth.Dialects(), ", "))
	}
	if _, err := forwardauth.ParseDialect(f.dialect); err != nil {
		return usage("--http-dialect %v", err)
	}
	if f.headers != nil && len(f.headers) == 0 {
		return usage("--http-headers: expected names of headers as in authorization,x-agent-id, got none")
	}
	for i, name := range f.headers {
		f.headers[i] = strings.ToLower(strings.TrimSpace(name))
	}
	return nil
}

// httpDoor is the HTTP door, or none.
type httpDoor struct{ server *forwardauth.Server }

// openHTTPDoor binds the address. Checks wait for start.
func (s *service) openHTTPDoor() (httpDoor, error) {
	f := s.flags
	if f.forward.address == "" {
		return httpDoor{}, nil
	}
	dialect, err := forwardauth.ParseDialect(f.forward.dialect)
	if err != nil {
		return httpDoor{}, usage("--http-dialect %v", err)
	}
	server, err := forwardauth.Listen(forwardauth.Config{
		Listen: listen.Config{
			Address: f.forward.address, AddressFlag: "--http-address",
			TLSCert: f.tlsCert, TLSKey: f.tlsKey,
			ClientCA: f.clientCA, ClientNames: f.clientNames,
			TrustNetwork: f.trustNetwork,
		},
		Dialect: dialect, Names: f.forward.headers, TrustForwarded: f.trustForwarded, TrustXFCC: f.trust.xfcc,
		Decider:   s.tracing.Observe(s.decisions.Observe(forwardauth.Within(s.kernel, dialect, f.forward.headers))),
		OnPanic:   s.decisions.Panicked,
		OnRefused: (&telemetry.Refusals{Log: s.log, Metrics: s.metrics}).Refused,
		OnError:   func(err error) { s.log.Error("http door", "error", err.Error()) },
	})
	if err != nil {
		return httpDoor{}, exit{exitUsage, err}
	}
	return httpDoor{server}, nil
}

func (d httpDoor) start(s *service) {
	if d.server == nil {
		return
	}
	go func() { s.failed <- d.server.Serve() }()
	about := []any{"door", "http", "dialect", s.flags.forward.dialect, "address", d.server.Addr().String()}
	if tcp, ok := d.server.Addr().(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		about = append(about, "reachable", "from this host, container or pod only: it is a loopback address")
	}
	s.log.Info("listening", about...)
	if s.flags.forward.headers == nil {
		s.log.Warn("the HTTP door takes for granted that the proxy takes from its answers each header that a policy sets or strips: " +
			"name them in --http-headers, and a request that needs another one is refused")
	}
}

func (d httpDoor) close(drain time.Duration) error {
	if d.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := d.server.Shutdown(ctx); err != nil {
		return fmt.Errorf("checks of the HTTP door were still under way after %s and were cut off", drain)
	}
	return nil
}
