//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const orders = "https://orders.example.com"

// ordersPolicy takes tokens of an issuer.
func ordersPolicy(name, path, issuer, jwks string) string {
	return fmt.Sprintf(`apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: %s, namespace: e2e}
spec:
  routes: [{hostnames: [%s], matches: [{path: {type: PathPrefix, value: %s}}]}]
  authentication:
    methods: [{name: partners, jwt: {issuer: "%s", audiences: [%s]%s}}]
  response: {upstream: {headers: [{name: x-agent-id, value: identity.subject}]}}
`, name, apiHost, path, issuer, orders, jwks)
}

// serveOrders starts an agentauth that trusts an issuer, and an Envoy that would let through what fails.
func serveOrders(t *testing.T, dir, issuer string) (way, *parts.Upstream) {
	t.Helper()
	policies := subdir(t, dir, "policies")
	write(t, filepath.Join(policies, "orders.yaml"), ordersPolicy("orders", "/orders", issuer, ""))
	upstream := startUpstream(t)
	agentauth := startAgentauth(t, dir, "--policies", policies)
	return failOpen(t, dir, upstream, agentauth), upstream
}

func failOpen(t *testing.T, dir string, upstream *parts.Upstream, agentauth *parts.Agentauth) way {
	t.Helper()
	envoy := startEnvoy(t, parts.EnvoyConfig{
		Dir: dir, Upstream: upstream.Address, Door: parts.Door{Address: agentauth.GRPCAddress}, FailureModeAllow: true, EncodeRawHeaders: true,
	})
	return way{name: "fail open", envoy: envoy}
}

func expect(t *testing.T, w way, r wire, status int) answer {
	t.Helper()
	got := w.send(t, r)
	if got.status != status {
		t.Errorf("%s: expected %d, got %d: %s", r.target, status, got.status, got.body)
	}
	if retry := got.header.Get("retry-after"); (retry != "") != (got.status == 503) {
		t.Errorf("%s: %d comes with Retry-After %q", r.target, got.status, retry)
	}
	return got
}

func withToken(t *testing.T, provider *parts.OIDC) wire {
	t.Helper()
	token, err := provider.Token(t.Context(), orders, "orders:read")
	must(t, err)
	return get("/orders", "authorization: "+bearer(token))
}

func newKey(t *testing.T, kid string) jose.JSONWebKey {
	t.Helper()
	key, err := parts.NewKey("RS256", kid)
	must(t, err)
	return key
}

func TestKeysThatTheProviderRotatesAreFollowedWithoutARestart(t *testing.T) {
	dir := parts.TestDir(t)
	first, second := newKey(t, "first"), newKey(t, "second")
	provider := startProvider(t, parts.OIDCConfig{Dir: dir, JWKS: parts.Keys{Keys: []jose.JSONWebKey{first}}})
	w, _ := serveOrders(t, dir, provider.Issuer)
	old := withToken(t, provider)
	expect(t, w, old, 200)
	must(t, provider.Rotate(t.Context(), second, first))
	fresh := withToken(t, provider)
	expect(t, w, fresh, 200)
	expect(t, w, old, 200)

	// What is stopped later is done without.
	must(t, provider.Stop())
	expect(t, w, fresh, 200)
	expect(t, w, old, 200)
	expect(t, w, get("/orders", "authorization: "+bearer(expand(t, `${jwt rsa1 RS256 {"iss":"`+provider.Issuer+`","aud":"`+orders+`","exp":${now+60}}}`))), 401)
	expect(t, w, get("/orders"), 401)
}

func TestAProviderThatIsDownFromTheStartIs503UntilItComes(t *testing.T) {
	dir := parts.TestDir(t)
	port, err := parts.FreePort()
	must(t, err)
	config := parts.OIDCConfig{Dir: dir, Port: port, JWKS: parts.Keys{Keys: []jose.JSONWebKey{newKey(t, "first")}}}
	provider, err := parts.StartOIDC(t.Context(), config)
	must(t, err)
	call := withToken(t, provider)
	must(t, provider.Stop())

	w, upstream := serveOrders(t, dir, provider.Issuer)
	expect(t, w, call, 503)
	expect(t, w, get("/orders"), 401)
	if upstream.Count() != 0 {
		t.Error("a request reached the upstream")
	}
	startProvider(t, config)
	within(t, 20*time.Second, "keys are fetched again every 10 s", func() error {
		switch got := w.send(t, call); got.status {
		case 200:
			return nil
		case 503:
			return fmt.Errorf("still 503")
		default:
			t.Fatalf("expected 503 or 200, got %d: %s", got.status, got.body)
			return nil
		}
	})
}

// hostile is a provider that misbehaves differently on each path.
type hostile struct {
	*httptest.Server
	fetches atomic.Int32 // of /good
	release chan struct{}
}

func startHostile(t *testing.T) *hostile {
	t.Helper()
	h := &hostile{release: make(chan struct{})}
	jwks := expand(t, `{"keys":[${jwk rsa1 "kid":"rsa1"}]}`)
	mux := http.NewServeMux()
	reply := func(path, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(body)) })
	}
	mux.HandleFunc("/good", func(w http.ResponseWriter, r *http.Request) { h.fetches.Add(1); _, _ = w.Write([]byte(jwks)) })
	reply("/html", "<html><body>"+jwks+"</body></html>")
	reply("/half", jwks[:len(jwks)/2])
	reply("/huge", `{"keys":[`+strings.Repeat(" ", 10<<20)+strings.TrimPrefix(jwks, `{"keys":[`))
	reply("/twice", strings.Replace(jwks, `{"keys":`, `{"keys":[],"keys":`, 1))
	reply("/one-unusable", strings.Replace(jwks, `"keys":[`, `"keys":[{"kty":"XYZ"},{"kty":"RSA","n":"AA","e":"AQAB"},`, 1))
	reply("/none-usable", `{"keys":[{"kty":"XYZ"}]}`)
	mux.HandleFunc("/error", func(w http.ResponseWriter, r *http.Request) { http.Error(w, jwks, http.StatusInternalServerError) })
	mux.HandleFunc("/metadata", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	})
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(h.URL, "127.0.0.1", "127.0.0.2", 1)+"/good", http.StatusFound)
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-length", itoa(len(jwks)))
		_, _ = w.Write([]byte(jwks[:20]))
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/hangs", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-h.release:
		case <-r.Context().Done():
		}
	})
	h.Server = httptest.NewServer(mux)
	t.Cleanup(func() { close(h.release); h.Close() })
	return h
}

func TestAProviderThatMisbehavesAllowsNothing(t *testing.T) {
	dir := parts.TestDir(t)
	h := startHostile(t)
	policies := subdir(t, dir, "policies")
	want := map[string]int{
		"good": 200, "one-unusable": 200, "html": 503, "half": 503, "huge": 503, "twice": 503,
		"error": 503, "metadata": 503, "elsewhere": 503, "cut": 503, "hangs": 503, "none-usable": 503,
	}
	for name := range want {
		write(t, filepath.Join(policies, name+".yaml"), ordersPolicy(name, "/"+name, h.URL, fmt.Sprintf(", jwks: {uri: %q}", h.URL+"/"+name)))
	}
	upstream := startUpstream(t)
	agentauth := startAgentauth(t, dir, "--policies", policies)
	w := failOpen(t, dir, upstream, agentauth)
	good := "authorization: " + bearer(expand(t, `${jwt rsa1 RS256 {"iss":"`+h.URL+`","aud":"`+orders+`","exp":${now+600}}}`))
	for name, status := range want {
		before := upstream.Count()
		expect(t, w, get("/"+name, good), status)
		if reached := upstream.Count() > before; reached != (status == 200) {
			t.Errorf("/%s: reached the upstream: %t", name, reached)
		}
	}

	t.Run("a flood of unknown kids fetches once in 10 s", func(t *testing.T) {
		begin, start := h.fetches.Load(), time.Now()
		for i := range 50 {
			expect(t, w, get("/good", "authorization: "+bearer(expand(t, `${jwt rsa2 RS256 {"kid":"k`+itoa(i)+`"} {"iss":"`+h.URL+`","aud":"`+orders+`","exp":${now+600}}}`))), 401)
		}
		allowed := 1 + int32(time.Since(start)/(10*time.Second))
		if got := h.fetches.Load() - begin; got > allowed {
			t.Errorf("expected at most %d fetches, got %d", allowed, got)
		}
	})
}

func TestAnIssuerWithinTheNetworkIsNotFetchedUnlessTheOperatorSaysSo(t *testing.T) {
	dir := parts.TestDir(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	var dialled atomic.Bool
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			dialled.Store(true)
			conn.Close()
		}
	}()
	policies := subdir(t, dir, "policies")
	issuer := "https://" + listener.Addr().String()
	write(t, filepath.Join(policies, "orders.yaml"), ordersPolicy("orders", "/orders", issuer, ""))
	agentauth, err := parts.StartAgentauth(t.Context(), parts.AgentauthConfig{Dir: dir, Binary: binary, Args: []string{"--policies", policies}})
	must(t, err)
	t.Cleanup(func() {
		must(t, agentauth.Stop())
		keepEvidence(t, agentauth, nil)
	})
	w := failOpen(t, dir, startUpstream(t), agentauth)
	expect(t, w, get("/orders", "authorization: "+bearer(expand(t, `${jwt rsa1 RS256 {"iss":"`+issuer+`","aud":"`+orders+`","exp":${now+60}}}`))), 503)
	if dialled.Load() {
		t.Error("it was dialled")
	}
}
