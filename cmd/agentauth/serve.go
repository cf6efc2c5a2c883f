package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/extauthz"
	"github.com/agentauth-dev/agentauth/authz/listen"
	"github.com/agentauth-dev/agentauth/authz/source"
	"github.com/agentauth-dev/agentauth/telemetry"
)

type serveFlags struct {
	policies, grpcAddress, metricsAddress string
	tlsCert, tlsKey, clientCA             string
	clientNames                           []string
	trustNetwork                          bool
	unmatched                             string
	egress                                egressFlags
	logFormat, logLevel                   string
	drain                                 time.Duration
	cluster                               clusterFlags
	webhook                               webhookFlags
}

func serveCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve [--policies DIR]",
		Short: "Answer Envoy's ext_authz checks",
		Long: `Answers Envoy's ext_authz checks with the policies, Secrets and ConfigMaps in the
manifests of a directory, which is read again whenever something in it changes.
A directory that is not valid leaves what was loaded before in force.

Without --policies they come from a cluster's API server: that of --kubeconfig,
of $KUBECONFIG, or the one this pod runs in. While it is away, what is in force
stays in force.

Whoever can ask may learn what the upstream is given. So a door needs client
certificates (--client-ca with --client-name), a loopback address, or
--trust-network, the operator's word that the network lets only proxies in.`,
		Example: `  agentauth serve --policies config/samples
  agentauth serve --policies config/samples --grpc-address :9001 \
    --tls-cert tls.crt --tls-key tls.key --client-ca ca.crt --client-name envoy.example.com`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := f.logger(cmd)
			if err != nil {
				return err
			}
			return f.serve(cmd.Context(), logger)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.policies, "policies", "", "directory of manifests; without it policies come from a cluster")
	f.cluster.register(cmd)
	f.webhook.register(cmd)
	flags.StringVar(&f.grpcAddress, "grpc-address", "127.0.0.1:9001", `address of the ext_authz door; "" turns it off`)
	flags.StringVar(&f.tlsCert, "tls-cert", "", "the door's certificate chain in PEM, reloaded when it changes")
	flags.StringVar(&f.tlsKey, "tls-key", "", "the door's private key in PEM, reloaded when it changes")
	flags.StringVar(&f.clientCA, "client-ca", "", "certificates in PEM that client certificates must verify to; needs --client-name")
	flags.StringSliceVar(&f.clientNames, "client-name", nil, "a SAN (DNS or URI) that a client certificate must have; '*' is any (repeatable)")
	flags.BoolVar(&f.trustNetwork, "trust-network", false, "the network lets only proxies reach the door: no client certificates are needed")
	flags.StringVar(&f.metricsAddress, "metrics-address", "127.0.0.1:8080", `address of /metrics, /healthz and /readyz; "" turns it off`)
	flags.StringVar(&f.unmatched, "unmatched", "deny", "what becomes of requests that no policy claims: deny, or allow-unauthenticated")
	f.egress.register(cmd)
	flags.StringVar(&f.logFormat, "log-format", "json", "json or text")
	flags.StringVar(&f.logLevel, "log-level", "info", "error, warn, info (adds refusals) or debug (adds allowances)")
	flags.DurationVar(&f.drain, "drain", 10*time.Second, "how long checks under way may take after SIGTERM")
	return cmd
}

func (f *serveFlags) logger(cmd *cobra.Command) (*slog.Logger, error) {
	var level slog.Level
	switch f.logLevel {
	case "error", "warn", "info", "debug":
		_ = level.UnmarshalText([]byte(f.logLevel)) // these four are its names
	default:
		return nil, usage("--log-level %q: expected error, warn, info or debug", f.logLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	switch f.logFormat {
	case "json":
		return slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), options)), nil
	}
	return nil, usage("--log-format %q: expected json or text", f.logFormat)
}

// options checks the flags that the engine takes.
func (f *serveFlags) options() (engine.Options, error) {
	options := engine.Options{AllowUnmatched: f.unmatched == "allow-unauthenticated", OneTenant: f.policies != ""}
	if !options.AllowUnmatched && f.unmatched != "deny" {
		return engine.Options{}, usage("--unmatched %q: expected deny or allow-unauthenticated", f.unmatched)
	}
	if err := f.webhook.check(f.policies == ""); err != nil {
		return engine.Options{}, err
	}
	if f.policies == "" {
		err := f.cluster.options(&options)
		return options, err
	}
	if info, err := os.Stat(f.policies); err != nil {
		return engine.Options{}, usage("--policies: %v", err)
	} else if !info.IsDir() {
		return engine.Options{}, usage("--policies %s: expected a directory", f.policies)
	}
	return options, f.cluster.unused()
}

// serve wires the two paths: the source to the engine, the engine to the door.
func (f *serveFlags) serve(parent context.Context, logger *slog.Logger) error {
	options, err := f.options()
	if err != nil {
		return err
	}
	client, err := f.egress.client()
	if err != nil {
		return err
	}
	defer client.Close()
	st := &telemetry.Readiness{MaxAge: f.cluster.maxConfigAge}
	m := telemetry.NewMetrics(st.Age)
	decisions := &telemetry.DecisionLog{Log: logger, Metrics: m}
	deps := dependencies(remote(client), client.Check, decisions.Panicked)
	deps.Stale = st.Stale
	kernel := engine.New(deps, options)
	defer kernel.Close()
	m.RegisterKeySets(kernel.Remotes)
	st.KeySets = kernel.Remotes

	ctx, stop := signal.NotifyContext(parent, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	failed := make(chan error, 3)

	probes, err := f.openProbes(st, m, failed)
	if err != nil {
		return err
	}
	defer probes.close()
	door, err := f.openDoor(kernel, decisions)
	if err != nil {
		return err
	}
	follow, err := f.source(kernel, logger, m, st, func() {
		st.Ready()
		door.setReady(true)
	}, door.setReady)
	if err != nil {
		return err
	}
	hook, err := f.webhook.open(ctx, &f.cluster, options, client.Check, logger, m)
	if err != nil {
		return err
	}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		failed <- follow(ctx)
	}()
	if door.server != nil {
		go func() { failed <- door.server.Serve() }()
		logger.Info("listening", "door", "ext_authz", "address", door.server.Addr().String())
	}

	select {
	case err = <-failed:
		if ctx.Err() == nil {
			if err == nil {
				err = errors.New("a listener ended by itself")
			}
			return err
		}
	case <-ctx.Done():
	}
	stop() // a second signal ends the process at once
	logger.Info("stopping: not ready any more, finishing what is under way", "drain", f.drain.String())
	st.Stopping()
	var closing sync.WaitGroup
	closing.Go(hook.close) // no review keeps the door open
	err = door.close(f.drain)
	closing.Wait()
	select {
	case <-followed:
	case <-time.After(2 * time.Second): // for the lease, which others wait for otherwise
	}
	return err
}

// source is what follows the policies until its context ends: a directory, or
// a cluster.
func (f *serveFlags) source(kernel *engine.Engine, log *slog.Logger, m *telemetry.Metrics, st *telemetry.Readiness, ready func(), serving func(bool)) (func(context.Context) error, error) {
	if f.policies == "" {
		return f.cluster.source(kernel, log, m, st, ready, serving)
	}
	loads := &telemetry.LoadLog{Log: log, Metrics: m, Readiness: st, Line: problemLine}
	keeper := &source.Keeper{
		Engine: kernel, Log: log, Ready: ready,
		Loaded: func(l source.Load) { loads.Loaded(telemetry.Load(l)) },
	}
	return func(ctx context.Context) error { return followDirectory(ctx, f.policies, keeper) }, nil
}

// probes is the server of /metrics, /healthz and /readyz.
type probes struct{ server *http.Server }

func (p probes) close() {
	if p.server != nil {
		_ = p.server.Close() // the process ends
	}
}

func (f *serveFlags) openProbes(st *telemetry.Readiness, m *telemetry.Metrics, failed chan<- error) (probes, error) {
	if f.metricsAddress == "" {
		return probes{}, nil
	}
	listener, err := net.Listen("tcp", f.metricsAddress)
	if err != nil {
		return probes{}, usage("--metrics-address: %v", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	mux.Handle("GET /readyz", st)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	return probes{server}, nil
}

// door is the ext_authz door, or none.
type door struct{ server *extauthz.Server }

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

func (f *serveFlags) openDoor(kernel *engine.Engine, decisions *telemetry.DecisionLog) (door, error) {
	if f.grpcAddress == "" {
		return door{}, nil
	}
	server, err := extauthz.Listen(extauthz.Config{
		Listen: listen.Config{
			Address: f.grpcAddress,
			TLSCert: f.tlsCert, TLSKey: f.tlsKey,
			ClientCA: f.clientCA, ClientNames: f.clientNames,
			TrustNetwork: f.trustNetwork,
		},
		Decider: decisions.Observe(kernel),
		OnPanic: decisions.Panicked,
		OnError: func(err error) { decisions.Log.Error("ext_authz door", "error", err.Error()) },
	})
	if err != nil {
		return door{}, exit{exitUsage, err}
	}
	return door{server}, nil
}
