package main

import (
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

type serveFlags struct {
	policies, grpcAddress, metricsAddress string
	tlsCert, tlsKey, clientCA             string
	clientNames                           []string
	trustNetwork                          bool
	explain                               explainFlags
	unmatched                             string
	trustForwarded                        bool
	trust                                 trustFlags
	pathCase                              string
	gatewayClasses                        []string
	egress                                egressFlags
	replay                                replayFlags
	audit                                 auditFlags
	tracing                               tracingFlags
	pprofAddress                          string
	logFormat, logLevel                   string
	drain, drainDelay                     time.Duration
	cluster                               clusterFlags
	webhook                               webhookFlags
	forward                               forwardFlags
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
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("serve takes no arguments, came %q; for a directory of manifests write --policies %s", args[0], args[0])
			}
			return nil
		},
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
	f.forward.register(cmd)
	flags.StringVar(&f.tlsCert, "tls-cert", "", "the door's certificate chain in PEM, reloaded when it changes")
	flags.StringVar(&f.tlsKey, "tls-key", "", "the door's private key in PEM, reloaded when it changes")
	flags.StringVar(&f.clientCA, "client-ca", "", "certificates in PEM that client certificates must verify to; needs --client-name")
	flags.StringSliceVar(&f.clientNames, "client-name", nil, "a SAN (DNS or URI) that a client certificate must have; '*' is any (repeatable)")
	flags.BoolVar(&f.trustNetwork, "trust-network", false, "the network lets only proxies reach the door: no client certificates are needed")
	f.explain.register(cmd)
	flags.StringVar(&f.metricsAddress, "metrics-address", "127.0.0.1:8080", `address of /metrics, /healthz, /readyz and /jwks; "" turns it off`)
	flags.StringVar(&f.unmatched, "unmatched", "deny", "what becomes of requests that no policy claims: deny, or allow-unauthenticated")
	trustForwardedFlag(cmd, &f.trustForwarded)
	f.trust.register(cmd)
	pathCaseFlag(cmd, &f.pathCase)
	flags.StringSliceVar(&f.gatewayClasses, "gateway-classes", nil, "GatewayClasses whose Gateways count; default those that their controller accepted, from files all (repeatable)")
	f.egress.register(cmd)
	f.replay.register(cmd)
	f.audit.register(cmd)
	f.tracing.register(cmd)
	flags.StringVar(&f.pprofAddress, "pprof-address", "", "loopback address of Go profiles (/debug/pprof/); none is served by default")
	flags.StringVar(&f.logFormat, "log-format", "json", "json or text")
	flags.StringVar(&f.logLevel, "log-level", "info", "error, warn, info (adds refusals) or debug (adds allowances)")
	flags.DurationVar(&f.drain, "drain", 10*time.Second, "how long checks under way may take after SIGTERM")
	flags.DurationVar(&f.drainDelay, "drain-delay", 0, "how long after SIGTERM the door still takes new checks, not ready already, until proxies that ask its health know")
	oneOf(cmd, "unmatched", "deny", "allow-unauthenticated")
	oneOf(cmd, "log-format", "json", "text")
	oneOf(cmd, "log-level", "error", "warn", "info", "debug")
	_ = cmd.MarkFlagDirname("policies") // it exists
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

// maxDrainDelay is above what a proxy takes to see that a replica is not ready.
const maxDrainDelay = 5 * time.Minute

func trustForwardedFlag(cmd *cobra.Command, value *bool) {
	cmd.Flags().BoolVar(value, "trust-forwarded-headers", false,
		"a proxy before Envoy writes x-forwarded-host and its like; else they are removed where they say otherwise than the request")
}

func pathCaseFlag(cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "path-case", "fold",
		"fold: a path that leads to another policy without regard to letter case is 400; exact: no upstream takes such paths for one")
	oneOf(cmd, "path-case", "fold", "exact")
}

// exactCase reads --path-case.
func exactCase(value string) (bool, error) {
	if value != "fold" && value != "exact" {
		return false, usage("--path-case %q: expected fold or exact", value)
	}
	return value == "exact", nil
}

// options checks the flags that the engine takes.
func (f *serveFlags) options() (engine.Options, error) {
	options := engine.Options{AllowUnmatched: f.unmatched == "allow-unauthenticated", OneTenant: f.policies != "", GatewayClasses: f.gatewayClasses, TrustForwarded: f.trustForwarded}
	f.trust.add(&options)
	if !options.AllowUnmatched && f.unmatched != "deny" {
		return engine.Options{}, usage("--unmatched %q: expected deny or allow-unauthenticated", f.unmatched)
	}
	var err error
	if options.ExactCase, err = exactCase(f.pathCase); err != nil {
		return engine.Options{}, err
	}
	if f.drainDelay < 0 || f.drainDelay > maxDrainDelay {
		return engine.Options{}, usage("--drain-delay %s: expected 0s to %s", f.drainDelay, maxDrainDelay)
	}
	if err := gatewayClassNames(f.gatewayClasses); err != nil {
		return engine.Options{}, err
	}
	if err := f.webhook.check(f.policies == ""); err != nil {
		return engine.Options{}, err
	}
	if err := f.forward.check(); err != nil {
		return engine.Options{}, err
	}
	if f.policies == "" {
		err := f.cluster.options(&options)
		return options, err
	}
	if info, err := os.Stat(f.policies); err != nil {
		return engine.Options{}, usage("--policies: %v", err)
	} else if !info.IsDir() {
		return engine.Options{}, usage("--policies %s: expected a directory, which is watched, came a file; put the file into a directory of its own", f.policies)
	}
	return options, f.cluster.unused()
}
