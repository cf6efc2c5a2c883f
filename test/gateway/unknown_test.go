//go:build e2e && linux

package gateway

import (
	"net/http"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// Nothing weaker than the route's own policy, which it cannot know, decides: neither the Gateway's nor none.
func TestARouteThatTheProxyKnowsAndAgentauthDoesNotIsUnavailable(t *testing.T) {
	s := theStage
	far := "far.example.test/"
	s.hasPolicy(t, s.teams, far, "far")
	t.Run("its namespace is not watched", func(t *testing.T) {
		s.restartAgentauth(t, "--watch-namespaces", "shop,gateways", "--unmatched", "allow-unauthenticated")
		s.isRefused(t, s.teams, parts.Get(far), verdict{"", "RouteUnknown", http.StatusServiceUnavailable})
		for _, key := range []string{keyOf("far"), keyOf("teams"), nobodys} {
			s.teams.Answers(t, http.StatusServiceUnavailable, parts.Get(far, key))
			s.blind.Answers(t, http.StatusForbidden, parts.Get(far, key)) // is not told the route
		}
		s.hasPolicy(t, s.teams, "catalog.example.test/", "catalog")
	})
	s.hasPolicy(t, s.teams, far, "far")
}

const fresh = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: fresh, namespace: shop}
spec:
  parentRefs: [{name: teams, namespace: gateways, sectionName: http}]
  hostnames: [fresh.example.test]
  rules: [{name: all, backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: upstream}]}]
`

// Envoy Gateway and agentauth learn of a route at the same time, and neither waits for the other.
func TestARouteThatIsAddedAndItsRuleRenamedUnderTrafficIsItsPolicysOrNobodys(t *testing.T) {
	s := theStage
	target := "fresh.example.test/f"
	default_ := parts.Get(target, keyOf("teams"))
	defer s.flood(t, []string{"gateways/teams", "RouteUnknown"}, withKeys(target, s.teams, []string{"teams"}, "catalog")...)()
	for range 2 {
		s.teams.Becomes(t, http.StatusNotFound, default_)
		s.kubectl(t, fresh, "apply", "-f", "-")
		s.teams.Becomes(t, http.StatusOK, default_)
		s.patch(t, "httproute/fresh", "shop", `[{"op":"replace","path":"/spec/rules/0/name","value":"every"}]`)
		s.teams.Becomes(t, http.StatusOK, default_)
		s.kubectl(t, "", "delete", "httproute", "fresh", "-n", "shop")
	}
	s.teams.Becomes(t, http.StatusNotFound, default_)
}

// The policy of a rule whose name is gone may mean what is there under another name: all of the route waits for it.
func TestARuleThatIsRenamedUnderItsPolicyIsNotLeftToAWeakerOne(t *testing.T) {
	s := theStage
	target := "stock.example.test/counts/n"
	good := parts.Get(target, keyOf("counts"))
	s.teams.Becomes(t, http.StatusOK, good)
	defer s.flood(t, []string{"shop/counts", "RouteUnknown"}, withKeys(target, s.teams, []string{"counts"}, "teams")...)()
	rename := func(name string) {
		s.patch(t, "httproute/stock", "shop", `[{"op":"replace","path":"/spec/rules/0/name","value":"`+name+`"}]`)
		s.teams.Becomes(t, http.StatusServiceUnavailable, good)
		s.hasCondition(t, "shop", "counts", "Accepted", "False", "TargetNotFound")
		s.teams.Becomes(t, http.StatusServiceUnavailable, parts.Get("stock.example.test/n", keyOf("teams")))
		s.patch(t, "aap/counts", "shop", `[{"op":"replace","path":"/spec/targetRefs/0/sectionName","value":"`+name+`"}]`)
		s.teams.Becomes(t, http.StatusOK, good)
		s.teams.Becomes(t, http.StatusOK, parts.Get("stock.example.test/n", keyOf("teams")))
	}
	rename("tallies")
	rename("counts")
}
