package extauthz

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/agentauth-dev/agentauth/authz"
)

// Decider decides a request. It refuses what authz.NewRequest refuses, and
// answers within the deadline of ctx, which is the proxy's.
type Decider interface {
	Decide(context.Context, authz.Raw) authz.Decision
}

// checker answers each check with a response, never with an error.
type checker struct {
	authv3.UnimplementedAuthorizationServer

	decider Decider
	clock   func() time.Time
	onPanic func(value any, stack []byte)
	onError func(error)
}

// Check implements envoy.service.auth.v3.Authorization.
func (c *checker) Check(ctx context.Context, check *authv3.CheckRequest) (answer *authv3.CheckResponse, _ error) {
	defer func() {
		if v := recover(); v != nil {
			answer = unavailable()
			c.onPanic(v, debug.Stack())
		}
	}()
	if ctx.Err() != nil {
		return unavailable(), nil
	}
	answer, err := encode(c.decider.Decide(ctx, decode(check, c.clock())))
	if err != nil {
		answer = unavailable()
		c.onError(fmt.Errorf("a decision cannot be written for Envoy and is answered 503: %w", err))
	}
	return answer, nil
}

// unavailable is the answer where there is no decision that could be written.
func unavailable() *authv3.CheckResponse {
	return refuse(&authv3.DeniedHttpResponse{
		Status: &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		Headers: []*corev3.HeaderValueOption{option(
			authz.Header{Name: "content-type", Value: "application/problem+json"},
			corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)},
		Body: `{"title":"Service Unavailable","status":503,"detail":"The request could not be decided. Try again later."}`,
	})
}
