//go:build e2e && linux

package gateway

import (
	"net/http"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const nobodys = "x-api-key: nobodys"

// withKeys are streams to one target by the key of each of these policies, which may let it through, and by others.
func withKeys(target string, way parts.Way, may []string, others ...string) []parts.Stream {
	out := []parts.Stream{{Way: way, Request: parts.Get(target, nobodys)}}
	for _, policy := range may {
		out = append(out, parts.Stream{Way: way, Request: parts.Get(target, keyOf(policy)), Agent: policy})
	}
	for _, policy := range others {
		out = append(out, parts.Stream{Way: way, Request: parts.Get(target, keyOf(policy))})
	}
	return out
}

func (s *stage) patch(t *testing.T, object, namespace, patch string) {
	t.Helper()
	s.kubectl(t, "", "patch", object, "-n", namespace, "--type=json", "-p", patch)
}

func TestAPolicyThatMovesFromRuleToRuleUnderTrafficLeavesTheRoutesBehind(t *testing.T) {
	s := theStage
	with := func(path, policy string) parts.Request {
		return parts.Get("catalog.example.test"+path, keyOf(policy))
	}
	s.teams.Becomes(t, http.StatusOK, with("/refunds/m", "refunds"))
	for _, path := range []string{"/refunds/m", "/prices/m"} {
		defer s.flood(t, []string{"shop/refunds", "shop/catalog"},
			withKeys("catalog.example.test"+path, s.teams, []string{"refunds", "catalog"}, "teams")...)()
	}
	for range 2 {
		s.patch(t, "aap/refunds", "shop", `[{"op":"replace","path":"/spec/targetRefs/0/sectionName","value":"prices"}]`)
		s.teams.Becomes(t, http.StatusOK, with("/prices/m", "refunds"))
		s.teams.Becomes(t, http.StatusUnauthorized, with("/prices/m", "catalog"))
		s.teams.Becomes(t, http.StatusOK, with("/refunds/m", "catalog"))
		s.apply(t, "attached.yaml", "refunds")
		s.teams.Becomes(t, http.StatusOK, with("/refunds/m", "refunds"))
		s.teams.Becomes(t, http.StatusOK, with("/prices/m", "catalog"))
	}
}

func TestPoliciesOfARuleAndItsRouteAreDeletedAndAppliedUnderTraffic(t *testing.T) {
	s := theStage
	with := func(path, policy string) parts.Request {
		return parts.Get("catalog.example.test"+path, keyOf(policy))
	}
	s.teams.Becomes(t, http.StatusOK, with("/refunds/d", "refunds"))
	defer s.flood(t, []string{"shop/refunds", "shop/catalog"}, withKeys("catalog.example.test/refunds/d", s.teams, []string{"refunds", "catalog"}, "teams")...)()
	defer s.flood(t, []string{"shop/catalog", "gateways/teams"}, withKeys("catalog.example.test/d", s.teams, []string{"catalog", "teams"}, "refunds")...)()
	for range 2 {
		s.kubectl(t, "", "delete", "aap", "refunds", "-n", "shop")
		s.teams.Becomes(t, http.StatusOK, with("/refunds/d", "catalog"))
		s.apply(t, "attached.yaml", "refunds")
		s.teams.Becomes(t, http.StatusOK, with("/refunds/d", "refunds"))

		s.kubectl(t, "", "delete", "aap", "catalog", "-n", "shop")
		s.teams.Becomes(t, http.StatusOK, with("/d", "teams"))
		s.apply(t, "attached.yaml", "catalog")
		s.teams.Becomes(t, http.StatusOK, with("/d", "catalog"))
	}
}

// The API server accepts the expression: only agentauth knows the names of CEL.
func TestAnInvalidPolicyKeepsItsTargetAndNothingWeakerTakesIt(t *testing.T) {
	s := theStage
	good := parts.Get("catalog.example.test/i", keyOf("catalog"))
	s.teams.Becomes(t, http.StatusOK, good)
	defer s.flood(t, []string{"shop/catalog"}, withKeys("catalog.example.test/i", s.teams, []string{"catalog"}, "teams", "refunds")...)()
	for range 2 {
		s.patch(t, "aap/catalog", "shop", `[{"op":"add","path":"/spec/authorization","value":{"rules":[{"name":"typo","require":"identity.nosuch == 1"}]}}]`)
		s.isRefused(t, s.teams, parts.Get("catalog.example.test/"), verdict{"shop/catalog", "PolicyInvalid", http.StatusServiceUnavailable})
		s.hasCondition(t, "shop", "catalog", "Accepted", "False", "Invalid")
		s.hasPolicy(t, s.teams, "catalog.example.test/refunds", "refunds")
		s.patch(t, "aap/catalog", "shop", `[{"op":"remove","path":"/spec/authorization"}]`)
		s.teams.Becomes(t, http.StatusOK, good)
		s.hasCondition(t, "shop", "catalog", "Accepted", "True", "Accepted")
	}
}

func TestWhatAGatewayOverridesItsRoutesCannotReplace(t *testing.T) {
	s := theStage
	good := parts.Get("catalog.example.test/o", keyOf("catalog"))
	s.teams.Becomes(t, http.StatusOK, good)
	defer s.flood(t, []string{"shop/catalog", "gateways/incident"}, withKeys("catalog.example.test/o", s.teams, []string{"catalog", "incident"}, "teams")...)()
	s.apply(t, "later.yaml", "incident")
	defer func() {
		s.kubectl(t, "", "delete", "aap", "incident", "-n", "gateways")
		s.teams.Becomes(t, http.StatusOK, good)
		s.hasCondition(t, "shop", "catalog", "Accepted", "True", "Accepted")
	}()
	for _, target := range []string{"catalog.example.test/", "catalog.example.test/refunds", "stock.example.test/counts", "news.example.test/", "everywhere.example.test/"} {
		for _, way := range []parts.Way{s.teams, s.teamsTLS, s.blind} {
			s.hasPolicy(t, way, target, "incident")
		}
	}
	s.hasPolicy(t, s.internal, "reports.example.test/", "incident")
	for _, policy := range []string{"catalog", "refunds", "teams", "internal", "health"} {
		s.hasCondition(t, attached[policy], policy, "Accepted", "False", "Overridden")
		s.hasAncestor(t, policy, "False", "Overridden")
	}
	s.hasAncestor(t, "incident", "True", "Accepted")
	s.http.Becomes(t, http.StatusOK, parts.Get("orders.example.test/", key)) // of the other Gateway
}
