package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/upstream"
)

// remote says where check takes the keys from that serve would fetch, and whether it
// asks about tokens.
func (f *checkFlags) remote() (r engine.Remote, done func(), err error) {
	switch {
	case f.network:
		client, err := f.egress.client()
		if err != nil {
			return r, nil, err
		}
		r = remote(client, jwks.NewShared(), introspect.NewShared(), upstream.NewShared(), nil)
		r.CheckURL = nil
		return r, client.Close, nil
	case f.jwks != "":
		data, err := os.ReadFile(f.jwks)
		if err != nil {
			return r, nil, usage("--jwks: %v", err)
		}
		keys, _, err := jwks.Parse(data)
		if err != nil {
			return r, nil, usage("--jwks %s: %v", f.jwks, err)
		}
		return offline(jwks.Static(keys)), func() {}, nil
	}
	return offline(noKeys{}), func() {}, nil
}

// offline has a set that stands for every one that would be fetched, and asks nobody.
func offline(set jwks.Set) engine.Remote {
	return engine.Remote{Keys: func(engine.RemoteSource) engine.RemoteKeys { return offlineKeys{set} }, Tokens: noTokens}
}

type offlineKeys struct{ jwks.Set }

// Held gives [jwks.Held] the keys.
func (k offlineKeys) Held() []jwks.Key { return jwks.Held(k.Set) }

func (offlineKeys) Start()              {}
func (offlineKeys) Close()              {}
func (offlineKeys) Status() jwks.Status { return jwks.Status{} }
func (offlineKeys) Ready() <-chan struct{} {
	closed := make(chan struct{})
	close(closed)
	return closed
}

type noKeys struct{}

func (noKeys) Lookup(context.Context, string, string) ([]jwks.Key, error) {
	return nil, &jwks.UnavailableError{RetryAfter: time.Second,
		Err: errors.New("keys are not fetched here; use --network, or give them with --jwks")}
}

func (n noKeys) Renewed(ctx context.Context, kid, alg string, _ []jwks.Key) ([]jwks.Key, error) {
	return n.Lookup(ctx, kid, alg)
}
