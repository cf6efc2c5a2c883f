package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/manifest"
	"github.com/agentauth-dev/agentauth/authz/source"
	"github.com/agentauth-dev/agentauth/authz/upstream"
)

// networkFlags say what validate fetches, and what serve could fetch.
type networkFlags struct {
	fetch  bool
	egress egressFlags
}

func (f *networkFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.fetch, "network", false, "fetch what policies name: discovery documents and keys")
	f.egress.register(cmd)
}

// kernel returns an engine that knows which URLs serve refuses with these flags,
// and fetches keys with --network only.
func (f *networkFlags) kernel(options engine.Options) (kernel *engine.Engine, done func(), err error) {
	client, err := f.egress.client()
	if err != nil {
		return nil, nil, err
	}
	from := offline(noKeys{})
	if from.CheckURL = client.Check; f.fetch {
		from = remote(client, jwks.NewShared(), introspect.NewShared(), upstream.NewShared(), nil)
	}
	kernel = engine.New(dependencies(from, nil), options)
	return kernel, func() { kernel.Close(); client.Close() }, nil
}

// fetchWithin is how long validate waits for providers: for each of several
// requests 5 s.
const fetchWithin = 20 * time.Second

// compile returns the snapshot and the problems of a tree. With --network it puts the policies in
// force, waits until each key set was tried, and looks again.
func (f *networkFlags) compile(ctx context.Context, kernel *engine.Engine, tree *manifest.Tree, found []authz.Problem) (*engine.Snapshot, []authz.Problem) {
	snapshot, problems, ok := source.Compile(kernel, tree, found)
	if !f.fetch || !ok {
		return snapshot, problems
	}
	kernel.Swap(snapshot)
	for end := time.Now().Add(fetchWithin); len(untried(kernel)) > 0 && time.Now().Before(end) && ctx.Err() == nil; {
		kernel.Wait(ctx)
	}
	late := untried(kernel)
	snapshot, problems, _ = source.Compile(kernel, tree, found)
	for _, s := range late {
		for _, name := range s.Policies {
			problems = append(problems, notFetched(tree, name, s))
		}
	}
	return snapshot, problems
}

// untried are the key sets that no attempt to fetch has ended of.
func untried(kernel *engine.Engine) (out []engine.RemoteStatus) {
	for _, s := range kernel.Remotes() {
		if s.Attempt.IsZero() {
			out = append(out, s)
		}
	}
	return out
}

func notFetched(tree *manifest.Tree, policy string, s engine.RemoteStatus) authz.Problem {
	p := authz.Problem{Severity: authz.Warning, Lint: authz.KeysUnreachable, Object: v1alpha1.Kind + " " + policy,
		Message: fmt.Sprintf("the keys of %s were not fetched within %s", cmp.Or(s.Issuer, s.URL), fetchWithin)}
	for _, in := range tree.Input.Policies {
		if in.Namespace+"/"+in.Name == policy {
			p.Position = tree.Locate(v1alpha1.Kind, in.Namespace, in.Name, "")
		}
	}
	return p
}
