package main

import (
	"context"

	"github.com/agentauth-dev/agentauth/authz/egress"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/upstream"
)

// tokens makes token endpoints that are asked through client.
func tokens(client *egress.Client, shared *upstream.Shared, panicked func(any, []byte)) func(upstream.Settings) engine.TokenServer {
	return func(s upstream.Settings) engine.TokenServer {
		return tokenServer{upstream.New(upstream.Config{
			Settings: s, Shared: shared, Panicked: panicked,
			Post: func(ctx context.Context, tenant string, asked bool, r introspect.Request) (introspect.Response, error) {
				return post(ctx, client, s.Endpoint, s.Roots, egress.Turn{Tenant: tenant, Asked: asked}, r)
			},
		})}
	}
}

// tokenServer is asked when a request needs a token, and so has no first attempt.
type tokenServer struct{ upstream.Server }

func (tokenServer) Start()                 {}
func (tokenServer) Ready() <-chan struct{} { return ready }

// noTokens stands for the token endpoints where nobody is asked: what is decided for a
// request does not depend on what a token says.
func noTokens(s upstream.Settings) engine.TokenServer {
	return offlineTokens{upstream.Fixed("not-asked-for"), s.Exchanged}
}

type offlineTokens struct {
	upstream.Fixed
	exchanged bool
}

func (offlineTokens) Start()                 {}
func (offlineTokens) Close()                 {}
func (offlineTokens) Ready() <-chan struct{} { return ready }

// Token implements [upstream.Source].
func (o offlineTokens) Token(ctx context.Context, c upstream.Caller) (string, error) {
	if o.exchanged && c.Token == "" {
		return "", upstream.ErrNothingToExchange
	}
	return o.Fixed.Token(ctx, c)
}
