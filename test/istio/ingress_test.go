//go:build e2e && linux

package istio

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/agentauth-dev/agentauth/test/cases"
	"github.com/agentauth-dev/agentauth/test/parts"
)

const (
	key   = "x-api-key: istio-api-key-of-the-robot"
	alice = "authorization: Basic YWxpY2U6aXN0aW8tcGFzc3dvcmQtb2YtYWxpY2U=" // alice:istio-password-of-alice
	wrong = "authorization: Basic YWxpY2U6YWxpY2U="                         // alice:alice
	spoof = "x-agent-id: somebody-else"
)

// bearer is a token with the secret of testdata/policies.yaml.
func bearer(t *testing.T, role string, ends int) string {
	t.Helper()
	out, err := cases.Expand(fmt.Sprintf(`authorization: Bearer ${jwt hmac HS256 {"id":"seven","role":%q,"exp":${now%+d}}}`, role, ends))
	must(t, err)
	return out
}

// granted is a token of the provider for the resource of testdata/policies.yaml.
func (s *stage) granted(t *testing.T, scope string) string {
	t.Helper()
	token, err := s.provider.Token(t.Context(), "https://orders.example.com", scope)
	must(t, err)
	return "authorization: Bearer " + token
}

// served asks once, and holds the upstream to an agent and to no credentials.
func served(t *testing.T, w parts.Way, agent string, r parts.Request) {
	t.Helper()
	a, err := w.Ask(t.Context(), r)
	must(t, err)
	if a.Status != http.StatusOK {
		t.Fatalf("expected 200, got %d: %s", a.Status, a.Body)
	}
	if got := a.Echo.Headers.Values("x-agent-id"); !slices.Equal(got, []string{agent}) {
		t.Errorf("expected the upstream to see x-agent-id %s, got %q", agent, got)
	}
	for _, credential := range []string{"x-api-key", "authorization"} {
		if a.Echo.Headers.Get(credential) != "" {
			t.Errorf("the upstream saw %s", credential)
		}
	}
}

// refused asks once, and holds the proxy to a status and to asking no upstream.
func (s *stage) refused(t *testing.T, w parts.Way, status int, r parts.Request) {
	t.Helper()
	before := s.upstream.Count()
	a, err := w.Ask(t.Context(), r)
	must(t, err)
	if a.Status != status {
		t.Errorf("expected %d, got %d: %s", status, a.Status, a.Body)
	}
	if s.upstream.Count() != before {
		t.Error("the refused request reached the upstream")
	}
}

func TestEachKindOfCredentialIsDecidedByThePolicyOfItsHost(t *testing.T) {
	s := theStage
	for name, c := range map[string]struct {
		parts.Request
		status int
		agent  string
	}{
		"no key":                       {parts.Get("orders.example.test/a", spoof), 401, ""},
		"nobody's key":                 {parts.Get("orders.example.test/a", "x-api-key: nobodys", spoof), 401, ""},
		"a key":                        {parts.Get("orders.example.test/a?b=c", key, spoof), 200, "robot"},
		"a key without the scope":      {parts.Request{Method: http.MethodPost, Target: "orders.example.test/a", Headers: []string{key}}, 403, ""},
		"a token where keys go":        {parts.Get("orders.example.test/a", bearer(t, "manager", 3600)), 401, ""},
		"no token":                     {parts.Get("payments.example.test/a", spoof), 401, ""},
		"a token of the provider":      {parts.Get("payments.example.test/a", s.granted(t, "orders:read"), spoof), 200, "orders-agent"},
		"one without the scope":        {parts.Get("payments.example.test/a", s.granted(t, "orders:write")), 403, ""},
		"one of an agent's own making": {parts.Get("payments.example.test/a", bearer(t, "manager", 3600)), 401, ""},
		"a token that an agent signed": {parts.Get("agents.example.test/a", bearer(t, "manager", 3600), spoof), 200, "seven"},
		"one of another role":          {parts.Get("agents.example.test/a", bearer(t, "clerk", 3600)), 403, ""},
		"one that has ended":           {parts.Get("agents.example.test/a", bearer(t, "manager", -3600)), 401, ""},
		"a host without a policy":      {parts.Get("forgotten.example.test/", key), 403, ""},
		"a host of no route":           {parts.Get("nowhere.example.test/", key), 404, ""},
	} {
		for proxy, w := range s.ingresses() {
			t.Run(name+", "+proxy, func(t *testing.T) {
				w.http.Becomes(t, http.StatusOK, parts.Get("orders.example.test/", key))
				if c.status == http.StatusOK {
					served(t, w.http, c.agent, c.Request)
				} else {
					s.refused(t, w.http, c.status, c.Request)
				}
			})
		}
	}
}

func TestAPasswordIsTakenOverTLSOnly(t *testing.T) {
	s := theStage
	for proxy, w := range s.ingresses() {
		t.Run(proxy, func(t *testing.T) {
			w.https.Becomes(t, http.StatusOK, parts.Get("staff.example.test/", alice))
			served(t, w.https, "alice", parts.Get("staff.example.test/", alice, spoof))
			s.refused(t, w.https, http.StatusUnauthorized, parts.Get("staff.example.test/", wrong))
			s.refused(t, w.https, http.StatusUnauthorized, parts.Get("staff.example.test/", spoof))
			s.refused(t, w.http, http.StatusForbidden, parts.Get("staff.example.test/", alice))
			// The proxy says what the caller used, not the caller.
			s.refused(t, w.http, http.StatusForbidden, parts.Get("staff.example.test/", alice, "x-forwarded-proto: https"))
		})
	}
}

func TestAPolicySeesTheCertificateThatTheIngressVerified(t *testing.T) {
	s := theStage
	const seven = "spiffe://example.test/agent/seven"
	r := parts.Get("partners.example.test/", "x-agent-id: "+seven, "x-forwarded-client-cert: URI="+seven)
	s.partner(t, s.ca, seven).Becomes(t, http.StatusOK, r)
	served(t, s.partner(t, s.ca, seven), seven, r)
	s.refused(t, s.partner(t, s.ca, "spiffe://example.test/agent/eight"), http.StatusForbidden, r)
	s.refused(t, s.https, http.StatusForbidden, r)
	s.refused(t, s.http, http.StatusForbidden, r)
	others, err := parts.NewCA("others")
	must(t, err)
	for name, way := range map[string]parts.Way{
		"no certificate": parts.NewWay(s.partners, s.ca.HTTPClient()), "another authority": s.partner(t, others, seven),
	} {
		if a, err := way.Ask(t.Context(), r); err == nil {
			t.Errorf("%s: expected no connection, got %d", name, a.Status)
		}
	}
}

func TestIstioTellsOfARequestWhatIsInItAndWhetherItCameOverTLS(t *testing.T) {
	s := theStage
	for scheme, w := range map[string]parts.Way{"http": s.http, "https": s.https} {
		seen := w.Becomes(t, http.StatusOK, parts.Get("seen.example.test/", "x-forwarded-proto: gopher")).Echo.Headers
		for name, want := range map[string]string{
			"x-seen-scheme": scheme, "x-seen-context": "0", "x-seen-metadata": "0", "x-seen-principal": "",
		} {
			if got := seen.Get(name); got != want {
				t.Errorf("%s: expected %s %q, got %q", scheme, name, want, got)
			}
		}
	}
}

// partner is the way of an agent with a certificate.
func (s *stage) partner(t *testing.T, ca *parts.CA, uri string) parts.Way {
	t.Helper()
	pair, err := ca.Client(uri)
	must(t, err)
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	must(t, err)
	return parts.NewWay(s.partners, s.ca.HTTPClient(certificate))
}
