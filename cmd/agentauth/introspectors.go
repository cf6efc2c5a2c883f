package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"net/http"

	"github.com/agentauth-dev/agentauth/authz/egress"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/jwks"
)

// introspectors makes servers that are asked through client. keys makes the key set of an
// issuer, which fetches nothing before the first signed answer.
func introspectors(client *egress.Client, keys func(engine.RemoteSource) engine.RemoteKeys, shared *introspect.Shared, panicked func(any, []byte)) func(engine.IntrospectionSource) engine.Introspector {
	return func(src engine.IntrospectionSource) engine.Introspector {
		var of engine.RemoteKeys
		var set jwks.Set // an interface that is nil, without an issuer
		if src.Issuer != "" {
			of = keys(engine.RemoteSource{Issuer: src.Issuer, Roots: src.Roots, Tenant: src.Tenant})
			set = of
		}
		return asked{introspect.New(introspect.Config{
			Issuer: src.Issuer, Keys: set, Endpoint: src.Endpoint, Client: src.Client, Tenant: src.Tenant, Shared: shared, Panicked: panicked,
			Post: func(ctx context.Context, tenant string, r introspect.Request) (introspect.Response, error) {
				return post(ctx, client, src.Endpoint, src.Roots, egress.Turn{Tenant: tenant, Asked: true}, r)
			},
		}), of}
	}
}

// post sends a form.
func post(ctx context.Context, client *egress.Client, url string, roots *x509.CertPool, turn egress.Turn, r introspect.Request) (introspect.Response, error) {
	header := http.Header{"Accept": {cmp.Or(r.Accept, "application/json")}, "Content-Type": {"application/x-www-form-urlencoded"},
		"Idempotency-Key": {}} // not sent: net/http asks again where a kept connection was closed meanwhile
	if r.Authorization != "" {
		header.Set("Authorization", r.Authorization)
	}
	answer, err := client.Do(ctx, egress.Request{
		URL: url, Method: http.MethodPost, Header: header, Body: []byte(r.Form), Roots: roots,
		MaxBytes: introspect.MaxAnswer, Turn: turn,
	})
	if err != nil {
		return introspect.Response{}, err
	}
	return introspect.Response{Status: answer.Status, ContentType: answer.Header.Get("Content-Type"), Body: answer.Body}, nil
}

// asked is a server that does nothing but answer.
type asked struct {
	*introspect.Server
	keys engine.RemoteKeys // nil: none
}

// Close implements [pool.Thing].
func (a asked) Close() {
	a.Server.Close()
	if a.keys != nil {
		a.keys.Close()
	}
}

func (asked) Start()                 {}
func (asked) Ready() <-chan struct{} { return ready }

// ready is closed.
var ready = func() chan struct{} { c := make(chan struct{}); close(c); return c }()
