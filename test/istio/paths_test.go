//go:build e2e && linux

package istio

import (
	"net/http"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// What is asked with a key would be served if one reading of it were taken.
func TestWhatCanBeReadInTwoWaysNeverReachesTheUpstream(t *testing.T) {
	s := theStage
	s.http.Becomes(t, http.StatusOK, parts.Get("orders.example.test/", key))
	for target, status := range map[string]int{
		"orders.example.test/a//b":                http.StatusBadRequest,
		"orders.example.test//healthz":            http.StatusBadRequest,
		"orders.example.test/a%2fb":               http.StatusBadRequest,
		"orders.example.test/healthz%2f..%2fa":    http.StatusBadRequest,
		"orders.example.test/a%5cb":               http.StatusBadRequest,
		"orders.example.test/a%252eb":             http.StatusBadRequest,
		"orders.example.test/public%2f..%2fa":     http.StatusBadRequest,
		"orders.example.test/public/%252e%252e/a": http.StatusBadRequest,
		"orders.example.test./":                   http.StatusNotFound,
		"orders.example.test:80./":                http.StatusBadRequest,
	} {
		t.Run(target, func(t *testing.T) { s.refused(t, s.http, status, parts.Get(target, key)) })
	}
	// As if public were to lead there, and as if another writing of the host were another host.
	for _, target := range []string{
		"orders.example.test/public/../a", "orders.example.test/public/..;/a", "orders.example.test/public/%2e%2e/a",
		"orders.example.test/healthz/../a", "orders.example.test/healthz;a", "orders.example.test/healthz/", "orders.example.test/Healthz",
		"ORDERS.example.test/a", "orders.example.test:80/a", "orders.example.test:443/a",
	} {
		t.Run(target, func(t *testing.T) { s.refused(t, s.http, http.StatusUnauthorized, parts.Get(target)) })
	}
}

func TestThePathThatIsDecidedIsWhatTheUpstreamGets(t *testing.T) {
	s := theStage
	for sent, got := range map[string]string{"a/../b": "/b", "./b": "/b", "%61": "/a", "public/../a": "/a", "public/..;/a": "/a"} {
		a := s.http.Becomes(t, http.StatusOK, parts.Get("orders.example.test/"+sent, key))
		if a.Echo.Path != got {
			t.Errorf("/%s: expected the upstream to get %s, got %s", sent, got, a.Echo.Path)
		}
	}
}

// Nothing is removed there either: docs/istio.md.
func TestWhatNoRuleCoversIsNotAskedAbout(t *testing.T) {
	s := theStage
	for _, target := range []string{
		"open.example.test/a", "OPEN.example.test/a", "orders.example.test/healthz", "orders.example.test/healthz?a", "orders.example.test/%68ealthz",
	} {
		a := s.http.Becomes(t, http.StatusOK, parts.Get(target, spoof))
		if got := a.Echo.Headers.Get("x-agent-id"); got != "somebody-else" {
			t.Errorf("%s: expected the upstream to see what was sent, got x-agent-id %q", target, got)
		}
	}
	s.refused(t, s.http, http.StatusForbidden, parts.Get("open.example.test:80/", spoof)) // is asked about, and has no policy

	// A policy that lets everybody through removes it.
	a := s.http.Becomes(t, http.StatusOK, parts.Get("orders.example.test/public/a", spoof))
	if got := a.Echo.Headers.Get("x-agent-id"); got != "" {
		t.Errorf("/public: the upstream saw x-agent-id %q", got)
	}
}

// Why docs/istio.md wants rules that name what is not asked about.
func TestARuleThatNamesWhatToProtectMissesOtherWritingsOfIt(t *testing.T) {
	s := theStage
	s.rule(t, "gateways", `{"to": [{"operation": {"paths": ["/v1/*"]}}]}`)
	s.http.Becomes(t, http.StatusOK, parts.Get("orders.example.test/other"))
	s.refused(t, s.http, http.StatusUnauthorized, parts.Get("orders.example.test/v1/a"))
	a := s.http.Becomes(t, http.StatusOK, parts.Get("orders.example.test//v1/a"))
	if a.Echo.Path != "//v1/a" {
		t.Errorf("expected the upstream to see //v1/a, got %s", a.Echo.Path)
	}
	s.protect(t)
	s.http.Becomes(t, http.StatusUnauthorized, parts.Get("orders.example.test/other"))
	s.http.Becomes(t, http.StatusBadRequest, parts.Get("orders.example.test//v1/a"))
}
