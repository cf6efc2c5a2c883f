//go:build e2e && linux

package istio

import (
	"fmt"
	"net/http"
	"net/url"
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
	parts.Must(t, err)
	return out
}

// granted is a token of the provider for the resource of testdata/policies.yaml.
func (s *stage) granted(t *testing.T, scope string) string {
	t.Helper()
	token, err := s.provider.Token(t.Context(), "https://orders.example.com", scope)
	parts.Must(t, err)
	return "authorization: Bearer " + token
}

// refused asks once, and holds the proxy to a status and to asking no upstream.
func (s *stage) refused(t *testing.T, w parts.Way, status int, r parts.Request) {
	t.Helper()
	w.Refuses(t, s.upstream, status, r)
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
					w.http.Serves(t, c.agent, c.Request)
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
			w.https.Serves(t, "alice", parts.Get("staff.example.test/", alice, spoof))
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
	s.partners.As(t, s.door.CA, seven).Becomes(t, http.StatusOK, r)
	s.partners.As(t, s.door.CA, seven).Serves(t, seven, r)
	s.refused(t, s.partners.As(t, s.door.CA, "spiffe://example.test/agent/eight"), http.StatusForbidden, r)
	s.refused(t, s.https, http.StatusForbidden, r)
	s.refused(t, s.http, http.StatusForbidden, r)
	others, err := parts.NewCA("others")
	parts.Must(t, err)
	for name, way := range map[string]parts.Way{
		"no certificate": s.partners, "another authority": s.partners.As(t, others, seven),
	} {
		if a, err := way.Ask(t.Context(), r); err == nil {
			t.Errorf("%s: expected no connection, got %d", name, a.Status)
		}
	}
}

func TestAMethodTakesTheCertificateThatTheIngressVerified(t *testing.T) {
	s := theStage
	const seven = "spiffe://example.test/agent/seven"
	pair, err := s.door.CA.Client(seven)
	parts.Must(t, err)
	forged := `x-forwarded-client-cert: Cert="` + url.PathEscape(string(pair.Cert)) + `";URI=` + seven
	elsewhere := s.partners.As(t, s.door.CA, "spiffe://elsewhere.test/agent/seven")
	for _, path := range []string{"/by-name", "/by-certificate"} {
		r := parts.Get("partners.example.test"+path, spoof, forged)
		partner := s.partners.As(t, s.door.CA, seven)
		partner.Becomes(t, http.StatusOK, r)
		partner.Serves(t, seven, r)
		s.refused(t, elsewhere, http.StatusUnauthorized, r)
		s.refused(t, s.https, http.StatusUnauthorized, r)
		s.refused(t, s.http, http.StatusUnauthorized, r)
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
