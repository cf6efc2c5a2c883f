package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/source"
	"github.com/agentauth-dev/agentauth/controller"
	"github.com/agentauth-dev/agentauth/telemetry"
)

// clusterFlags say which cluster policies come from, and what its tenants may.
type clusterFlags struct {
	kubeconfig         string
	namespaces         []string
	hostnames          []string
	trustContextPolicy bool
	maxConfigAge       time.Duration

	rest      *rest.Config
	namespace string // of the lease
	given     func() []string
}

func (f *clusterFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig file of the cluster (default $KUBECONFIG, then the account of this pod)")
	flags.StringSliceVar(&f.namespaces, "watch-namespaces", nil, "namespaces of the cluster to take policies from; default all (repeatable)")
	flags.StringSliceVar(&f.hostnames, "hostnames", nil, "NAMESPACE=PATTERN: routes of the namespace may use these hosts; once given, no others (repeatable)")
	flags.BoolVar(&f.trustContextPolicy, "trust-context-policy", false, "let proxies name the policy in a cluster too: only where no tenant writes their configuration")
	flags.DurationVar(&f.maxConfigAge, "max-config-age", 0, "not ready, and every answer 503, once the cluster was not watched for so long; 0 is never")
	f.given = func() []string {
		var out []string
		for _, name := range []string{"kubeconfig", "watch-namespaces", "hostnames", "trust-context-policy", "max-config-age"} {
			if flags.Changed(name) {
				out = append(out, "--"+name)
			}
		}
		return out
	}
}

// unused says that a flag does nothing beside --policies.
func (f *clusterFlags) unused() error {
	if given := f.given(); len(given) > 0 {
		return usage("%s: only for policies from a cluster; leave it out, or leave out --policies", given[0])
	}
	return nil
}

// options checks the flags, and that there is a cluster.
func (f *clusterFlags) options(o *engine.Options) error {
	o.ContextPolicy = f.trustContextPolicy
	for _, s := range f.hostnames {
		namespace, pattern, _ := strings.Cut(s, "=")
		grant := engine.HostnameGrant{Namespace: namespace, Hostname: pattern}
		if err := grant.Check(); err != nil {
			return usage("--hostnames %s: expected NAMESPACE=PATTERN as in shop=*.shop.example.com: %v", s, err)
		}
		o.HostnameGrants = append(o.HostnameGrants, grant)
	}
	if slices.Contains(f.namespaces, "") {
		return usage("--watch-namespaces: expected names, got an empty one")
	}
	if f.maxConfigAge < 0 {
		return usage("--max-config-age %s: expected 0 or more", f.maxConfigAge)
	}
	return f.connect()
}

// connect finds the cluster. A home directory's kubeconfig is not looked for: a
// server does not choose its cluster by who started it.
func (f *clusterFlags) connect() error {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: f.kubeconfig}
	if f.kubeconfig == "" {
		rules.Precedence = filepath.SplitList(os.Getenv("KUBECONFIG"))
	}
	config := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{})
	var err error
	switch f.rest, err = config.ClientConfig(); {
	case errors.Is(err, rest.ErrNotInCluster), clientcmd.IsEmptyConfig(err):
		return usage("serve needs --policies DIR, or a cluster: --kubeconfig FILE, $KUBECONFIG, or a pod with a service account")
	case err != nil:
		return usage("the kubeconfig cannot be used: %v", err)
	}
	f.namespace, _, err = config.Namespace()
	if err != nil {
		return usage("the kubeconfig cannot be used: %v", err)
	}
	return nil
}

// source follows the cluster.
func (f *clusterFlags) source(kernel *engine.Engine, log *slog.Logger, m *telemetry.Metrics, st *telemetry.Readiness, ready func(), serving func(bool)) (func(context.Context) error, error) {
	klog.SetSlogLogger(log)
	ctrllog.SetLogger(logr.FromSlogHandler(log.Handler()))
	host, _ := os.Hostname()
	loads := &telemetry.LoadLog{Log: log, Metrics: m, Readiness: st, Line: statusLine, Often: true}
	keeper := &source.Keeper{
		Engine: kernel, Log: log, Ready: ready,
		Loaded: func(l source.Load) { loads.Loaded(telemetry.Load(l)) },
	}
	f.rest.UserAgent = "agentauth/" + versionString()
	cluster, err := controller.New(controller.Config{
		REST: f.rest, Namespaces: f.namespaces, Load: keeper.Cluster, Log: log, Schema: schemas{log, m, st}.seen,
		LeaseNamespace: f.namespace, Identity: fmt.Sprintf("%s-%d-%s", cmp.Or(host, "agentauth"), os.Getpid(), time.Now().Format("150405.000")),
	})
	if err != nil {
		return nil, usage("the cluster cannot be used: %v", err)
	}
	st.Behind = cluster.Age
	m.RegisterSchema()
	return func(ctx context.Context) error {
		if st.MaxAge > 0 {
			go tellAge(ctx, st, serving)
		}
		log.Info("following the cluster", "server", f.rest.Host)
		return cluster.Run(ctx)
	}, nil
}

// tellAge keeps the door's health service at what the probes say.
func tellAge(ctx context.Context, st *telemetry.Readiness, serving func(bool)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			serving(st.Serving())
		}
	}
}

// schemas says whether the CRD of policies is the one that is meant here.
// Checks go on: what was written for another CRD is still the best there is.
type schemas struct {
	log       *slog.Logger
	metrics   *telemetry.Metrics
	readiness *telemetry.Readiness
}

func (s schemas) seen(schema controller.Schema) {
	text := ""
	if schema.Matches() {
		s.log.Info("the CRD of policies is as expected", "schema", schema.Got)
	} else {
		text = schema.String()
		s.log.Warn("the CRD of policies is not as expected", "problem", text)
	}
	s.metrics.SchemaMatches(schema.Matches())
	s.readiness.Schema(text)
}
