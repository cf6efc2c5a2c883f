package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/agentauth-dev/agentauth/authz/engine"
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
	namespace string // of the lease, and of the ConfigMaps of hostname grants
	given     func() []string
}

func (f *clusterFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig file of the cluster (default $KUBECONFIG, then the account of this pod)")
	flags.StringSliceVar(&f.namespaces, "watch-namespaces", nil, "namespaces of the cluster to take policies from; default all (repeatable)")
	flags.StringSliceVar(&f.hostnames, "hostnames", nil, "NAMESPACE=PATTERN: the namespace may use these hosts; once given, hosts of policies need a grant (repeatable; ConfigMaps grant more)")
	flags.BoolVar(&f.trustContextPolicy, "trust-context-policy", false, "let proxies name the policy in a cluster too: only where no tenant writes their configuration")
	flags.DurationVar(&f.maxConfigAge, "max-config-age", 0, "not ready, and every answer 503, once what is in force was behind the API server for so long; 0 is never")
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
	var err error
	if o.HostnameGrants, err = hostnameGrants(f.hostnames); err != nil {
		return err
	}
	if err := namespaceNames("--watch-namespaces", f.namespaces); err != nil {
		return err
	}
	if f.maxConfigAge < 0 {
		return usage("--max-config-age %s: expected 0 or more", f.maxConfigAge)
	}
	return f.connect()
}

// connect finds the cluster. A home directory's kubeconfig is not looked for: a
// server does not choose its cluster by who started it.
func (f *clusterFlags) connect() error {
	config, from, err := kubeconfig(f.kubeconfig, "")
	if err != nil {
		return err
	}
	switch f.rest, err = config.ClientConfig(); {
	case errors.Is(err, rest.ErrNotInCluster), clientcmd.IsEmptyConfig(err):
		return usage("serve needs --policies DIR, or a cluster: --kubeconfig FILE, $KUBECONFIG, or a pod with a service account")
	case err != nil:
		return usage("%s cannot be used: %v", from, err)
	}
	f.namespace, _, err = config.Namespace()
	if err != nil {
		return usage("%s cannot be used: %v", from, err)
	}
	return nil
}

// kubeconfig reads a kubeconfig, or those of $KUBECONFIG. from names it to people.
func kubeconfig(file, of string) (config clientcmd.ClientConfig, from string, err error) {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: file}
	if from = "--kubeconfig " + file; file != "" {
		if _, err := os.Stat(file); err != nil {
			return nil, "", usage("--kubeconfig: %v", err)
		}
	} else {
		from = "the kubeconfig"
		rules.Precedence = filepath.SplitList(os.Getenv("KUBECONFIG"))
		exists := func(name string) bool { _, err := os.Stat(name); return err == nil }
		if len(rules.Precedence) > 0 {
			if from = "$KUBECONFIG"; !slices.ContainsFunc(rules.Precedence, exists) {
				return nil, "", usage("$KUBECONFIG is %s, and there is no such file", os.Getenv("KUBECONFIG"))
			}
		}
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: of}), from, nil
}

// cluster follows the cluster of the flags.
func (s *service) cluster(d door) (follow func(context.Context) error, err error) {
	klog.SetSlogLogger(s.log)
	ctrllog.SetLogger(logr.FromSlogHandler(s.log.Handler()))
	f := &s.flags.cluster
	host, _ := os.Hostname()
	keeper := s.keeper(d, telemetry.LoadLog{Line: statusLine, Often: true})
	again := make(chan struct{}, 1) // policies were compiled late, or the state of keys changed
	cluster, err := controller.New(controller.Config{
		REST: f.rest, Namespaces: f.namespaces, Log: s.log, Schema: s.schema,
		Load: keeper.Cluster, Revoke: keeper.Revoke, Again: again, Behind: keeper.Behind, Leads: s.metrics.Leads,
		GatewayClassesNamed: len(s.options.GatewayClasses) > 0,
		LeaseNamespace:      f.namespace, Identity: fmt.Sprintf("%s-%d-%s", cmp.Or(host, "agentauth"), os.Getpid(), time.Now().Format("150405.000")),
	})
	if err != nil {
		return nil, usage("the cluster cannot be used: %v", err)
	}
	s.readiness.Behind, s.readiness.Causes = cluster.Age, cluster.Problems
	s.metrics.RegisterSchema()
	s.metrics.RegisterLeader()
	s.metrics.RegisterUnreadable(cluster.Unreadable)
	return func(ctx context.Context) error {
		go forward(ctx, keeper.Again(), again)
		go s.followKeys(ctx, func() { signalTo(again) })
		if f.maxConfigAge > 0 {
			go s.keepHealth(ctx, d)
		}
		s.log.Info("following the cluster", "server", f.rest.Host)
		return cluster.Run(ctx)
	}, nil
}

// keepHealth keeps the door's health service at what the probes say.
func (s *service) keepHealth(ctx context.Context, d door) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	stale := telemetry.StaleLog{Log: s.log, Readiness: s.readiness}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.setReady(s.readiness.Serving())
			stale.Look()
		}
	}
}

// schema says whether the CRD of policies is the one that is meant here. Checks
// go on: what was written for another CRD is still the best there is.
func (s *service) schema(schema controller.Schema) {
	problem := ""
	if schema.Matches() {
		s.log.Info("the CRD of policies is as expected", "schema", schema.Got)
	} else {
		problem = schema.String()
		s.log.Warn("the CRD of policies is not as expected", "problem", problem)
	}
	s.metrics.SchemaMatches(schema.Matches())
	s.readiness.Schema(problem)
}
