//go:build e2e && linux

package istio

import (
	"net/http"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// Istio does not say which route it took: it is found by host and match.
func TestAPolicyForAnHTTPRouteDecidesByItsHost(t *testing.T) {
	s := theStage
	s.gateway.Becomes(t, http.StatusOK, parts.Get("routed.example.test/", key))
	s.gateway.Serves(t, "robot", parts.Get("routed.example.test/a", key, spoof))
	s.refused(t, s.gateway, http.StatusUnauthorized, parts.Get("routed.example.test/a", spoof))
	s.refused(t, s.gateway, http.StatusUnauthorized, parts.Get("routed.example.test/a", bearer(t, "manager", 3600)))

	s.gateway.Becomes(t, http.StatusOK, parts.Get("hosted.example.test/", bearer(t, "manager", 3600)))
	s.gateway.Serves(t, "seven", parts.Get("hosted.example.test/a", bearer(t, "manager", 3600), spoof))
	s.refused(t, s.gateway, http.StatusUnauthorized, parts.Get("hosted.example.test/a", key))

	s.refused(t, s.gateway, http.StatusForbidden, parts.Get("bare.example.test/a", key))
	s.refused(t, s.gateway, http.StatusNotFound, parts.Get("nowhere.example.test/a", key))
}

// If Istio said which rule it took, there would be no doubt.
func TestRulesThatProxiesOrderDifferentlyAndThatHaveDifferentPoliciesAreNotDecided(t *testing.T) {
	s := theStage
	s.gateway.Becomes(t, http.StatusOK, parts.Get("ordered.example.test/v2/a"))
	s.gateway.Becomes(t, http.StatusOK, parts.Get("ordered.example.test/v1", key))
	s.refused(t, s.gateway, http.StatusUnauthorized, parts.Get("ordered.example.test/v1"))
	s.refused(t, s.gateway, http.StatusServiceUnavailable, parts.Get("ordered.example.test/v1/a", key))
}

func TestADefaultOfTheGatewayDecidesForRoutesWithoutAPolicy(t *testing.T) {
	s := theStage
	bare := parts.Get("bare.example.test/a", bearer(t, "clerk", 3600))
	s.gateway.Becomes(t, http.StatusForbidden, bare)
	s.kubectl(t, `
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: default, namespace: gateways}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: public}]
  authentication:
    methods: [{name: agents, jwt: {anyIssuer: true, anyAudience: true, hmac: {secretRef: {name: agents}}, claimMappings: {subject: claims.id}}}]
  response:
    upstream: {headers: [{name: x-agent-id, value: identity.subject}]}
---
apiVersion: v1
kind: Secret
metadata: {name: agents, namespace: gateways, labels: {agentauth.dev/use: hmac}}
stringData: {secret: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}
`, "apply", "-f", "-")
	s.gateway.Becomes(t, http.StatusOK, bare)
	s.gateway.Serves(t, "seven", parts.Get("bare.example.test/a", bearer(t, "clerk", 3600), spoof))
	s.refused(t, s.gateway, http.StatusUnauthorized, parts.Get("bare.example.test/a", spoof))
	s.refused(t, s.gateway, http.StatusUnauthorized, parts.Get("routed.example.test/a", bearer(t, "clerk", 3600))) // has its own
	s.kubectl(t, "", "delete", "aap", "default", "-n", "gateways")
	s.gateway.Becomes(t, http.StatusForbidden, bare)
}

func TestAPolicyOfAnHTTPRouteThatIsDeletedAndAppliedUnderTrafficNeverLetsAnybodyThrough(t *testing.T) {
	s := theStage
	good, _ := traffic(t, s.gateway, "routed.example.test")
	for range 3 {
		s.without(t, s.gateway, good, http.StatusForbidden, "AgentAuthPolicy", "shop", "routed")
	}
}

func TestAnHTTPRouteThatIsDeletedAndAppliedUnderTrafficNeverLetsAnybodyThrough(t *testing.T) {
	s := theStage
	good, _ := traffic(t, s.gateway, "routed.example.test")
	for range 3 {
		s.without(t, s.gateway, good, http.StatusNotFound, "HTTPRoute", "shop", "routed")
	}
}

func TestAHostThatAnHTTPRouteGetsIsDecidedByThePolicyOfTheHTTPRoute(t *testing.T) {
	s := theStage
	late := parts.Get("late.example.test/", key)
	s.gateway.Becomes(t, http.StatusNotFound, late)
	s.kubectl(t, "", "patch", "httproute", "routed", "-n", "shop", "--type=merge", "-p", `{"spec": {"hostnames": ["routed.example.test", "late.example.test"]}}`)
	s.gateway.Becomes(t, http.StatusOK, late)
	s.refused(t, s.gateway, http.StatusUnauthorized, parts.Get("late.example.test/", spoof))
	s.apply(t, "HTTPRoute", "name: routed, namespace: shop")
	s.gateway.Becomes(t, http.StatusNotFound, late)
}
