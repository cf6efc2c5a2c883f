//go:build e2e && linux

package gateway

import (
	"net/http"
	"testing"
)

// Nothing weaker than the route's own policy, which it cannot know, decides: neither the Gateway's nor none.
func TestARouteThatTheProxyKnowsAndAgentauthDoesNotIsUnavailable(t *testing.T) {
	s := theStage
	far := get("far.example.test/").over(s.teams)
	s.hasPolicy(t, far, "far")
	t.Run("its namespace is not watched", func(t *testing.T) {
		s.restartAgentauth(t, "--watch-namespaces", "shop,gateways", "--unmatched", "allow-unauthenticated")
		s.isRefused(t, far, verdict{"", "RouteUnknown", http.StatusServiceUnavailable})
		for _, key := range []string{keyOf("far"), keyOf("teams"), nobodys} {
			for name, c := range map[string]struct {
				way    way
				status int
			}{"told": {s.teams, http.StatusServiceUnavailable}, "not told": {s.blind, http.StatusForbidden}} {
				if a, err := s.try(t.Context(), get("far.example.test/", key).over(c.way)); err != nil || a.status != c.status {
					t.Errorf("%s, with %q: expected %d, got %d, %v", name, key, c.status, a.status, err)
				}
			}
		}
		s.hasPolicy(t, get("catalog.example.test/").over(s.teams), "catalog")
	})
	s.hasPolicy(t, far, "far")
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
	default_ := get(target, keyOf("teams")).over(s.teams)
	defer s.flood(t, []string{"gateways/teams", "RouteUnknown"}, withKeys(target, s.teams, []string{"teams"}, "catalog")...)()
	for range 2 {
		s.becomes(t, http.StatusNotFound, default_)
		s.kubectl(t, fresh, "apply", "-f", "-")
		s.becomes(t, http.StatusOK, default_)
		s.patch(t, "httproute/fresh", "shop", `[{"op":"replace","path":"/spec/rules/0/name","value":"every"}]`)
		s.becomes(t, http.StatusOK, default_)
		s.kubectl(t, "", "delete", "httproute", "fresh", "-n", "shop")
	}
	s.becomes(t, http.StatusNotFound, default_)
}

// The policy of a rule whose name is gone may mean what is there under another name: all of the route waits for it.
func TestARuleThatIsRenamedUnderItsPolicyIsNotLeftToAWeakerOne(t *testing.T) {
	s := theStage
	target := "stock.example.test/counts/n"
	good := get(target, keyOf("counts")).over(s.teams)
	s.becomes(t, http.StatusOK, good)
	defer s.flood(t, []string{"shop/counts", "RouteUnknown"}, withKeys(target, s.teams, []string{"counts"}, "teams")...)()
	rename := func(name string) {
		s.patch(t, "httproute/stock", "shop", `[{"op":"replace","path":"/spec/rules/0/name","value":"`+name+`"}]`)
		s.becomes(t, http.StatusServiceUnavailable, good)
		s.hasCondition(t, "shop", "counts", "Accepted", "False", "TargetNotFound")
		s.becomes(t, http.StatusServiceUnavailable, get("stock.example.test/n", keyOf("teams")).over(s.teams))
		s.patch(t, "aap/counts", "shop", `[{"op":"replace","path":"/spec/targetRefs/0/sectionName","value":"`+name+`"}]`)
		s.becomes(t, http.StatusOK, good)
		s.becomes(t, http.StatusOK, get("stock.example.test/n", keyOf("teams")).over(s.teams))
	}
	rename("tallies")
	rename("counts")
}
