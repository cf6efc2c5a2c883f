// Command traffic asks an agentauth, one request after the other and at most thirty times a second, for two minutes: of
// callers that are allowed, refused and not decided. It keeps what /metrics says every two seconds, for draw
// (test/tools/prometheus/draw).
//
//	traffic -agentauth bin/agentauth -scrapes DIR
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const policies = `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: orders, namespace: shop}
spec:
  routes: [{hostnames: [orders.test]}]
  authentication: {methods: [{name: keys, apiKey: {selector: {matchLabels: {team: a}}}}]}
  authorization: {rules: [{name: reads, when: 'request.method != "GET"', require: 'identity.subject == "writer"'}]}
---
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: reports, namespace: shop}
spec:
  routes: [{hostnames: [reports.test]}]
  authentication: {methods: [{name: staff, basic: {users: {secretRef: {name: staff}}, allowPlaintext: true}}]}
---
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: tokens, namespace: bank}
spec:
  routes: [{hostnames: [tokens.test]}]
  authentication: {methods: [{name: tokens, jwt: {issuer: "https://127.0.0.1:1", audiences: [api]}}]}
---
apiVersion: v1
kind: Secret
metadata: {name: staff, namespace: shop, labels: {agentauth.dev/use: basic}}
stringData: {auth: 'alice:$2a$10$IMH1RI48Jn2R39PAFb8P3eUeSPNotALsN0kX5..pRvRT8J7dP7xJG'}
---
apiVersion: v1
kind: Secret
metadata:
  name: robot
  namespace: shop
  labels: {agentauth.dev/use: api-key, team: a}
  annotations: {agentauth.dev/plain-keys: "*", expires-at.agentauth.dev/old: %q, expires-at.agentauth.dev/month: %q}
stringData: {old: the-key-that-is-rotated-away, new: the-key-that-comes-after-it, month: the-key-of-the-next-month}
`

// requests are asked in turns.
var requests = []struct{ host, method, name, value string }{
	{"orders.test", "GET", "x-api-key", "the-key-that-comes-after-it"},
	{"orders.test", "GET", "x-api-key", "the-key-that-comes-after-it"},
	{"orders.test", "GET", "x-api-key", "the-key-that-is-rotated-away"},
	{"orders.test", "POST", "x-api-key", "the-key-that-comes-after-it"},
	{"orders.test", "GET", "x-api-key", "a-key-that-nobody-has-at-all"},
	{"reports.test", "GET", "authorization", "Basic YWxpY2U6c2FtcGxlLXBhc3N3b3JkLW9mLWFsaWNl"},
	{"reports.test", "GET", "authorization", "Basic YWxpY2U6d3Jvbmc="},
	{"tokens.test", "GET", "authorization", "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJodHRwczovLzEyNy4wLjAuMToxIiwiYXVkIjoiYXBpIiwiZXhwIjo0MTAyNDQ0ODAwfQ.AAAA"},
	{"elsewhere.test", "GET", "accept", "*/*"},
}

func main() {
	log.SetFlags(0)
	agentauth := flag.String("agentauth", "bin/agentauth", "the binary")
	scrapes := flag.String("scrapes", "", "directory for what /metrics says")
	lasts := flag.Duration("for", 2*time.Minute, "how long to ask")
	flag.Parse()
	if err := run(context.Background(), *agentauth, *scrapes, min(*lasts, 10*time.Minute)); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, agentauth, scrapes string, lasts time.Duration) error {
	dir, err := os.MkdirTemp("", "traffic-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	tree := filepath.Join(dir, "policies")
	end := func(days int) string {
		return time.Now().Add(time.Duration(days) * 24 * time.Hour).UTC().Format(time.RFC3339)
	}
	if err := os.MkdirAll(tree, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tree, "all.yaml"), fmt.Appendf(nil, policies, end(3), end(20)), 0o600); err != nil {
		return err
	}
	if err := os.MkdirAll(scrapes, 0o700); err != nil {
		return err
	}
	a, err := parts.StartAgentauth(ctx, parts.AgentauthConfig{Dir: dir, Binary: agentauth, Args: []string{"--policies", tree}})
	if err != nil {
		return err
	}
	defer func() { _ = a.Stop() }()
	conn, err := grpc.NewClient(a.GRPCAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return ask(ctx, a, authv3.NewAuthorizationClient(conn), scrapes, lasts)
}

// ask asks in turns, at most thirty times a second, and keeps the metrics every two seconds.
func ask(ctx context.Context, a *parts.Agentauth, door authv3.AuthorizationClient, scrapes string, lasts time.Duration) error {
	tick := time.NewTicker(time.Second / 30)
	defer tick.Stop()
	begin, kept := time.Now(), int64(0)
	for i := 0; time.Since(begin) < lasts; i++ {
		r := requests[i%len(requests)]
		_, err := door.Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "192.0.2.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 1}}}}},
			Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
				Id: fmt.Sprint(i), Method: r.method, Scheme: "https", Host: r.host, Path: "/", Protocol: "HTTP/2",
				Headers: map[string]string{":authority": r.host, ":method": r.method, ":path": "/", r.name: r.value},
			}},
		}})
		if err != nil {
			return err
		}
		if now := time.Now().Unix(); now >= kept+2 {
			body, err := a.Get(ctx, "/metrics")
			if err != nil {
				return err
			}
			kept = now
			if err := os.WriteFile(filepath.Join(scrapes, fmt.Sprint(now)+".prom"), body, 0o600); err != nil {
				return err
			}
		}
		<-tick.C
	}
	return nil
}
