//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// opaqueCall is a call of the server whose tokens are introspected.
func opaqueCall(token string) wire {
	r := post(token, callOf("search_orders", `{"query":"pears"}`))
	r.host, r.target = "localhost", "/opaque"
	return r
}

func TestAProviderThatFailsStopsNoCallItsKeysAreHeldForAndAllowsNone(t *testing.T) {
	s := suite.useMCP(t)
	defer s.chaos.Heal()
	known := post(s.token(t, aloneResource, "orders:read"), callOf("search_orders", `{"query":"pears"}`))
	opaque := localhost(s.orders.HTTPSPort) + "/opaque"
	cached := opaqueCall(s.token(t, opaque, "orders:read"))
	w := way{name: "plain", envoy: s.plain}
	for _, r := range []wire{known, cached} {
		expect(t, w, r, 200)
	}
	for what, fault := range map[string]parts.Fault{"down": parts.Down, "slow": parts.Slow, "half": parts.Half, "another type": parts.HTML, "500": parts.Broken} {
		t.Run(what, func(t *testing.T) {
			s.chaos.Heal()
			fresh, strange := opaqueCall(s.token(t, opaque, "orders:read")), opaqueCall("no-token-of-this-provider-"+itoa(len(what)))
			held := post(s.token(t, aloneResource, "orders:read"), callOf("search_orders", `{"query":"apples"}`))
			s.chaos.Fail(fault)
			expect(t, w, held, 200) // its key is held
			expect(t, w, known, 200)
			expect(t, w, cached, 200)
			before := s.echo.Count()
			var both sync.WaitGroup
			for _, r := range []wire{fresh, strange} {
				both.Go(func() { expect(t, w, r, 503) })
			}
			both.Wait()
			expect(t, w, post("", callOf("search_orders", `{}`)), 401)
			if s.echo.Count() != before {
				t.Error("a call that could not be decided reached the server")
			}
		})
	}

	// An agentauth that starts now holds nothing.
	s.chaos.Fail(parts.HTML)
	dir := subdir(t, s.dir, "late")
	late := startAgentauth(t, dir, "--policies", filepath.Join(s.dir, "policies"))
	config := s.envoy(t, "late", s.echo.Address)
	config.Door.Address = late.GRPCAddress
	newcomer := way{name: "late", envoy: startEnvoy(t, config)}
	expect(t, newcomer, known, 503)
	expect(t, newcomer, cached, 503)
	if got := newcomer.send(t, wire{target: "/.well-known/oauth-protected-resource/mcp", host: aloneHost}); got.status != 200 {
		t.Errorf("the metadata need no provider: expected 200, got %d", got.status)
	}

	// The keys change while the provider is slow: what was good stays good, what is new waits for its key.
	s.chaos.Heal()
	second := newKey(t, "second")
	must(t, s.provider.Rotate(t.Context(), append(s.provider.Keys(), second)...))
	expect(t, w, known, 200)
	must(t, s.provider.Rotate(t.Context(), append([]jose.JSONWebKey{second}, s.provider.Keys()[:1]...)...))
	s.chaos.Fail(parts.Slow)
	fresh := post(s.token(t, aloneResource, "orders:read"), callOf("search_orders", `{"query":"plums"}`))
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			if got := w.send(t, fresh); got.status != 401 && got.status != 503 && got.status != 200 {
				t.Errorf("expected 401 or 503 while its key is not known, got %d", got.status)
			}
			if got := w.send(t, known); got.status != 200 {
				t.Errorf("expected 200 for a key that is held, got %d", got.status)
			}
		})
	}
	calls.Wait()
	s.chaos.Heal()
	within(t, 30*time.Second, "the new key is fetched", func() error {
		if got := w.send(t, fresh); got.status != 200 {
			return fmt.Errorf("expected 200, got %d: %s", got.status, got.body)
		}
		return nil
	})
	expect(t, w, known, 200)
}
