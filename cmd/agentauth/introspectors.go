package main

import (
	"context"
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
				header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"},
					"Idempotency-Key": {}} // not sent: net/http asks again where a kept connection was closed meanwhile
				if r.Authorization != "" {
					header.Set("Authorization", r.Authorization)
				}
				answer, err := client.Do(ctx, egress.Request{
					URL: src.Endpoint, Method: http.MethodPost, Header: header, Body: []byte(r.Form), Roots: src.Roots,
					MaxBytes: introspect.MaxAnswer, Turn: egress.Turn{Tenant: tenant, Asked: true},
				})
				if err != nil {
					return introspect.Response{}, err
				}
				return introspect.Response{Status: answer.Status, ContentType: answer.Header.Get("Content-Type"), Body: answer.Body}, nil
			},
		})}
	}
}

// asked is a server that does nothing but answer.
type asked struct{ *introspect.Server }

func (asked) Start()                 {}
func (asked) Ready() <-chan struct{} { return ready }

// ready is closed.
var ready = func() chan struct{} { c := make(chan struct{}); close(c); return c }()
