package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/source"
	"github.com/agentauth-dev/agentauth/controller"
)

// checkedCluster is a cluster that check and validate read once.
type checkedCluster struct{ kubeconfig, context, own string }

// clusterPatience is how long reading a cluster and compiling may take.
const clusterPatience = time.Minute

func (f *checkedCluster) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.kubeconfig, "kubeconfig", "", "take the policies, and what they name, from the cluster of this kubeconfig file")
	cmd.Flags().StringVar(&f.context, "context", "", "with --kubeconfig: its context (default: the current one)")
	cmd.Flags().StringVar(&f.own, "agentauth-namespace", "agentauth-system", "with --kubeconfig: the namespace of agentauth, whose revocations hold for all policies")
}

func (f *checkedCluster) given() bool { return f.kubeconfig != "" }

func (f *checkedCluster) check() error {
	if f.context != "" && !f.given() {
		return usage("--context is for --kubeconfig FILE, which is not given")
	}
	return nil
}

// compile reads the cluster and compiles it as serve does: a policy that is wrong
// affects no other.
func (f *checkedCluster) compile(ctx context.Context, kernel *engine.Engine, classesNamed bool) (s *engine.Snapshot, in engine.Input, problems []authz.Problem, err error) {
	loader, from, err := kubeconfig(f.kubeconfig, f.context)
	if err != nil {
		return nil, in, nil, err
	}
	config, err := loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) || errors.Is(err, rest.ErrNotInCluster) {
		return nil, in, nil, usage("%s names no cluster", from)
	} else if err != nil {
		return nil, in, nil, usage("%s cannot be used: %v", from, err)
	}
	config.QPS, config.UserAgent = -1, "agentauth/"+versionString()
	ctx, cancel := context.WithTimeout(ctx, clusterPatience)
	defer cancel()
	if in, problems, err = controller.Once(ctx, config, f.own, classesNamed); err != nil {
		return nil, in, nil, usage("%s: %v", from, err)
	}
	problems = append(problems, source.Revoke(kernel, in.Revocations)...)
	s, reports := kernel.CompileApart(in, clusterPatience)
	for _, r := range reports {
		for _, p := range r.Problems {
			p.Object = v1alpha1.Kind + " " + r.Policy.String()
			problems = append(problems, p)
		}
	}
	return s, in, append(problems, s.Problems()...), nil
}

// countInput is how many objects there are of each kind.
func countInput(in engine.Input) map[string]int {
	out := map[string]int{}
	for kind, n := range map[string]int{
		v1alpha1.Kind: len(in.Policies), "Secret": len(in.Secrets), "ConfigMap": len(in.ConfigMaps),
		"HTTPRoute": len(in.HTTPRoutes), "GRPCRoute": len(in.GRPCRoutes), "Gateway": len(in.Gateways),
	} {
		if n > 0 {
			out[kind] = n
		}
	}
	return out
}
