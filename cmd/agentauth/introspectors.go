package main

import (
	"context"
	"crypto/x509"
	"net/http"

	"github.com/agentauth-dev/agentauth/authz/egress"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/introspect"
)

// introspectors makes servers that are asked through client.
func introspectors(client *egress.Client, shared *introspect.Shared, panicked func(any, []byte)) func(engine.IntrospectionSource) engine.Introspector {
	return func(src engine.IntrospectionSource) engine.Introspector {
		return asked{introspect.New(introspect.Config{
			Endpoint: src.Endpoint, Client: src.Client, Tenant: src.Tenant, Shared: shared, Panicked: panicked,
			Post: func(ctx context.Context, tenant string, r introspect.Request) (introspect.Response, error) {
				return post(ctx, client, src.Endpoint, src.Roots, egress.Turn{Tenant: tenant, Asked: true}, r)
			},
		})}
	}
}

// post sends a form.
func post(ctx context.Context, client *egress.Client, url string, roots *x509.CertPool, turn egress.Turn, r introspect.Request) (introspect.Response, error) {
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"},
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
type asked struct{ *introspect.Server }

func (asked) Start()                 {}
func (asked) Ready() <-chan struct{} { return ready }

// ready is closed.
var ready = func() chan struct{} { c := make(chan struct{}); close(c); return c }()
