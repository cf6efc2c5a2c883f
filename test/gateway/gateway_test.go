//go:build e2e && linux

package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/cases"
	"github.com/agentauth-dev/agentauth/test/parts"
)

const key = "x-api-key: gateway-api-key-of-the-robot"

// bearer is a token with the secret of testdata/policies.yaml.
func bearer(t *testing.T, role string, ends int) string {
	t.Helper()
	out, err := cases.Expand(fmt.Sprintf(`authorization: Bearer ${jwt hmac HS256 {"id":"seven","role":%q,"exp":${now%+d}}}`, role, ends))
	parts.Must(t, err)
	return out
}

func TestTheGatewayAsksAndThePolicyOfTheHostDecides(t *testing.T) {
	s := theStage
	spoof := "x-agent-id: somebody-else"
	s.http.Becomes(t, http.StatusOK, parts.Get("orders.example.test/", key))
	s.http.Becomes(t, http.StatusOK, parts.Get("payments.example.test/", bearer(t, "manager", 3600)))
	for name, c := range map[string]struct {
		parts.Request
		status int
		agent  string
	}{
		"no key":                   {parts.Get("orders.example.test/a", spoof), 401, ""},
		"nobody's key":             {parts.Get("orders.example.test/a", "x-api-key: nobodys", spoof), 401, ""},
		"a key":                    {parts.Get("orders.example.test/a?b=c", key, spoof), 200, "robot"},
		"a key without the scope":  {parts.Request{Method: http.MethodPost, Target: "orders.example.test/a", Headers: []string{key}}, 403, ""},
		"a token where keys go":    {parts.Get("orders.example.test/a", bearer(t, "manager", 3600)), 401, ""},
		"no token":                 {parts.Get("payments.example.test/a", spoof), 401, ""},
		"a token that has ended":   {parts.Get("payments.example.test/a", bearer(t, "manager", -3600)), 401, ""},
		"a token":                  {parts.Get("payments.example.test/a", bearer(t, "manager", 3600), spoof), 200, "seven"},
		"a token of another role":  {parts.Get("payments.example.test/a", bearer(t, "clerk", 3600)), 403, ""},
		"a key where tokens go":    {parts.Get("payments.example.test/a", key), 401, ""},
		"a path of two readings":   {parts.Get("orders.example.test/a%252eb", key), 400, ""},
		"a slash in hiding":        {parts.Get("orders.example.test/a%2fb", key), 307, ""}, // by Envoy Gateway, to /a/b
		"a backslash in hiding":    {parts.Get("orders.example.test/a%5cb", key), 307, ""},
		"a host without a policy":  {parts.Get("forgotten.example.test/", key), 403, ""},
		"a host of no route":       {parts.Get("nowhere.example.test/", key), 404, ""},
		"a neighbour":              {parts.Get("open.example.test/"), 200, ""},
		"a neighbour, with a key":  {parts.Get("open.example.test/", key), 200, ""},
		"a key, host in capitals":  {parts.Get("ORDERS.example.test/", key), 200, "robot"},
		"no key, host in capitals": {parts.Get("ORDERS.example.test/"), 401, ""},
		"no key, host with a port": {parts.Get("orders.example.test:80/"), 401, ""},
		"no key, host with a dot":  {parts.Get("orders.example.test./"), 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			switch {
			case c.status != http.StatusOK:
				s.http.Refuses(t, s.upstream, c.status, c.Request)
			case c.agent == "":
				s.http.Answers(t, c.status, c.Request)
			default:
				s.http.Serves(t, c.agent, c.Request)
			}
		})
	}
}

func TestAPasswordIsTakenOverTLSOnly(t *testing.T) {
	s := theStage
	const alice = "authorization: Basic YWxpY2U6Z2F0ZXdheS1wYXNzd29yZC1vZi1hbGljZQ==" // alice:gateway-password-of-alice
	s.https.Becomes(t, http.StatusOK, parts.Get("staff.example.test/", alice))
	s.https.Serves(t, "alice", parts.Get("staff.example.test/", alice))
	s.https.Becomes(t, http.StatusUnauthorized, parts.Get("staff.example.test/", "authorization: Basic YWxpY2U6YWxpY2U="))
	// The proxy says what the caller used, not the caller.
	s.http.Becomes(t, http.StatusForbidden, parts.Get("staff.example.test/", alice, "x-forwarded-proto: https"))
}

func TestAPolicySeesTheCertificateThatTheListenerVerified(t *testing.T) {
	s := theStage
	const seven = "spiffe://example.test/agent/seven"
	r := parts.Get("partners.example.test/", "x-agent-id: "+seven)
	s.partners.As(t, s.door.CA, seven).Becomes(t, http.StatusOK, r)
	s.partners.As(t, s.door.CA, seven).Serves(t, seven, r)
	s.partners.As(t, s.door.CA, "spiffe://example.test/agent/eight").Becomes(t, http.StatusForbidden, r)
	s.https.Becomes(t, http.StatusForbidden, r)
	s.http.Becomes(t, http.StatusForbidden, r)
	others, err := parts.NewCA("others")
	parts.Must(t, err)
	pair, err := s.door.CA.Client(seven)
	parts.Must(t, err)
	forged := `x-forwarded-client-cert: Cert="` + url.PathEscape(string(pair.Cert)) + `"`
	for _, path := range []string{"/by-name", "/by-certificate"} {
		named := parts.Get("partners.example.test"+path, "x-agent-id: "+seven, forged)
		s.partners.As(t, s.door.CA, seven).Serves(t, seven, named)
		s.partners.As(t, s.door.CA, "spiffe://elsewhere.test/agent/seven").Becomes(t, http.StatusUnauthorized, named)
		s.https.Becomes(t, http.StatusUnauthorized, named)
		s.http.Becomes(t, http.StatusUnauthorized, named)
	}
	for name, way := range map[string]parts.Way{"no certificate": s.partners, "another authority": s.partners.As(t, others, seven)} {
		if a, err := way.Ask(t.Context(), r); err == nil {
			t.Errorf("%s: expected no connection, got %d", name, a.Status)
		}
	}
}

func TestAPolicyThatIsDeletedAndAppliedUnderTrafficNeverLetsAnybodyThrough(t *testing.T) {
	s := theStage
	good, bad := parts.Get("traffic.example.test/moving", key), parts.Get("traffic.example.test/moving", "x-api-key: nobodys")
	s.http.Becomes(t, http.StatusOK, good)

	defer s.flood(t, []string{"shop/traffic", "NoPolicy"}, parts.Stream{Way: s.http, Request: good, Agent: "robot"}, parts.Stream{Way: s.http, Request: bad})()
	for range 5 {
		s.kubectl(t, "", "delete", "aap", "traffic", "-n", "shop")
		s.http.Becomes(t, http.StatusForbidden, good)
		s.apply(t, "policies.yaml", "traffic")
		s.http.Becomes(t, http.StatusOK, good)
		s.http.Becomes(t, http.StatusUnauthorized, bad)
	}
}

func TestASecurityPolicyOfTheRouteOrItsGatewayBeginsToProtectIt(t *testing.T) {
	s := theStage
	open := parts.Get("open.example.test/", key) // no AgentAuthPolicy has its host
	for namespace, target := range map[string]string{"shop": "kind: HTTPRoute, name: open", "gateways": "kind: Gateway, name: public"} {
		s.http.Becomes(t, http.StatusOK, open)
		s.kubectl(t, fmt.Sprintf(`
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {name: late, namespace: %s}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, %s}]
  extAuth:
    includeRouteMetadata: true
    grpc: {backendRefs: [{name: agentauth, namespace: agentauth-system, port: 9001}]}
`, namespace, target), "apply", "-f", "-")
		s.http.Becomes(t, http.StatusForbidden, open)
		s.http.Becomes(t, http.StatusOK, parts.Get("orders.example.test/", key))
		s.kubectl(t, "", "delete", "securitypolicy", "late", "-n", namespace)
	}
	s.http.Becomes(t, http.StatusOK, open)
}

// Not at once: docs/envoy-gateway.md.
func TestASecurityPolicyThatMayNotAskComesToLetNobodyThrough(t *testing.T) {
	s := theStage
	good := parts.Get("orders.example.test/ungranted", key)
	s.http.Becomes(t, http.StatusOK, good)
	grant := s.kubectl(t, "", "get", "referencegrant", "agentauth", "-n", "agentauth-system", "-o", "jsonpath={.spec}")
	s.kubectl(t, "", "delete", "referencegrant", "agentauth", "-n", "agentauth-system")
	s.http.Becomes(t, http.StatusInternalServerError, good)
	s.http.Becomes(t, http.StatusInternalServerError, parts.Get("payments.example.test/"))
	s.http.Becomes(t, http.StatusOK, parts.Get("open.example.test/"))
	s.kubectl(t, fmt.Sprintf(`{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant,
  metadata: {name: agentauth, namespace: agentauth-system}, spec: %s}`, grant), "apply", "-f", "-")
	s.http.Becomes(t, http.StatusOK, good)
}

func TestThePathThatIsDecidedIsWhatTheUpstreamGets(t *testing.T) {
	s := theStage
	for sent, got := range map[string]string{"a/../b": "/b", "a//b": "/a/b", "./b": "/b", "%61": "/a"} {
		a := s.http.Becomes(t, http.StatusOK, parts.Get("orders.example.test/"+sent, key))
		if a.Echo.Path != got {
			t.Errorf("/%s: expected the upstream to get %s, got %s", sent, got, a.Echo.Path)
		}
	}
}

func TestWithoutAgentauthNothingIsLetThrough(t *testing.T) {
	s := theStage
	good := parts.Get("orders.example.test/alone", key)
	s.http.Becomes(t, http.StatusOK, good)
	parts.Must(t, s.agentauth.Stop())
	before := s.upstream.Count()
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end) && !t.Failed(); {
		s.http.Answers(t, http.StatusForbidden, good)
	}
	if s.upstream.Count() != before {
		t.Error("a request reached the upstream")
	}
	s.http.Answers(t, http.StatusOK, parts.Get("open.example.test/")) // is not protected
	parts.Must(t, s.startAgentauth(context.WithoutCancel(t.Context())))
	s.http.Becomes(t, http.StatusOK, good)
}
