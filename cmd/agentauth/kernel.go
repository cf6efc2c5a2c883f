package main

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/authz/egress"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/store"
	"github.com/agentauth-dev/agentauth/authz/upstream"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// egressFlags say what URLs in policies may reach beyond public https.
type egressFlags struct {
	allowHTTP bool
	cidrs     []string
	proxy     string // may hold a password: no message repeats it
}

func (f *egressFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.allowHTTP, "egress-allow-http", false, "let URLs in policies be http")
	cmd.Flags().StringSliceVar(&f.cidrs, "egress-allow-cidr", nil, "let URLs in policies reach these addresses, though they are not public (repeatable)")
	cmd.Flags().StringVar(&f.proxy, "egress-proxy", "", "send what goes to URLs in policies through this http(s) proxy, which then judges addresses; HTTPS_PROXY is not read")
}

func (f *egressFlags) client() (*egress.Client, error) {
	if f.cidrs != nil && len(f.cidrs) == 0 {
		return nil, usage("--egress-allow-cidr: expected an address range as in 10.0.0.0/8, got an empty one")
	}
	config := egress.Config{AllowHTTP: f.allowHTTP}
	for _, s := range f.cidrs {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, usage("--egress-allow-cidr %s: expected an address range as in 10.0.0.0/8", s)
		}
		config.AllowCIDRs = append(config.AllowCIDRs, prefix)
	}
	if f.proxy != "" {
		proxy, err := egress.ParseProxy(f.proxy)
		if err != nil {
			return nil, usage("--egress-proxy: %v", err)
		}
		config.Proxy = proxy
	}
	return egress.New(config), nil
}

// remote makes what is fetched and asked through client. panicked, if not nil, is
// told of panics over answers.
func remote(client *egress.Client, shared *jwks.Shared, asked *introspect.Shared, got *upstream.Shared, panicked func(any, []byte)) engine.Remote {
	keys := remoteKeys(client, shared, panicked)
	return engine.Remote{Keys: keys, Introspector: introspectors(client, keys, asked, panicked), Tokens: tokens(client, got, panicked), CheckURL: client.Check}
}

func remoteKeys(client *egress.Client, shared *jwks.Shared, panicked func(any, []byte)) func(engine.RemoteSource) engine.RemoteKeys {
	return func(src engine.RemoteSource) engine.RemoteKeys {
		return jwks.NewRemote(jwks.Config{
			Issuer: src.Issuer, URL: src.URL, Tenant: src.Tenant, Shared: shared, Panicked: panicked,
			Discover: func(ctx context.Context, turn jwks.Turn, issuer string) (string, error) {
				return client.Discover(ctx, issuer, src.Roots, egress.Turn(turn))
			},
			Fetch: func(ctx context.Context, turn jwks.Turn, url string) (jwks.Answer, error) {
				answer, err := client.Do(ctx, egress.Request{URL: url, Roots: src.Roots, Turn: egress.Turn(turn), Header: http.Header{"Accept": {"application/json"}}})
				if err != nil {
					return jwks.Answer{}, err
				}
				return jwks.Answer{
					Status:       answer.Status,
					CacheControl: strings.Join(answer.Header.Values("Cache-Control"), ","),
					Body:         answer.Body,
				}, nil
			},
		})
	}
}

// dependencies are what the kernel needs of the world.
func dependencies(remote engine.Remote, panicked func(any, []byte)) engine.Deps {
	scheduler := work.New(work.Options{Memory: hashMemory()})
	return engine.Deps{
		Passwords: password.New(scheduler, password.Options{}),
		Scheduler: scheduler,
		Replay:    store.NewMemory(replayMemory(), nil),
		Remote:    remote,
		Panicked:  panicked,
	}
}
