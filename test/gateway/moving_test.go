//go:build e2e && linux

package gateway

import (
	"net/http"
	"os"
	"strings"
	"testing"
)

const nobodys = "x-api-key: nobodys"

// manifest is the policy of this name in a file of testdata.
func manifest(t *testing.T, file, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	must(t, err)
	for object := range strings.SplitSeq(string(text), "\n---\n") {
		if strings.Contains(object, "kind: AgentAuthPolicy\nmetadata: {name: "+name+", ") {
			return object
		}
	}
	t.Fatalf("testdata/%s: expected a policy %s", file, name)
	return ""
}

// withKeys are streams to one target by the key of each of these policies, which may let it through, and by others.
func withKeys(target string, way way, may []string, others ...string) []stream {
	out := []stream{{get(target, nobodys).over(way), ""}}
	for _, policy := range may {
		out = append(out, stream{get(target, keyOf(policy)).over(way), policy})
	}
	for _, policy := range others {
		out = append(out, stream{get(target, keyOf(policy)).over(way), ""})
	}
	return out
}

func (s *stage) patch(t *testing.T, object, namespace, patch string) {
	t.Helper()
	s.kubectl(t, "", "patch", object, "-n", namespace, "--type=json", "-p", patch)
}

func TestAPolicyThatMovesFromRuleToRuleUnderTrafficLeavesTheRoutesBehind(t *testing.T) {
	s := theStage
	with := func(path, policy string) request {
		return get("catalog.example.test"+path, keyOf(policy)).over(s.teams)
	}
	s.becomes(t, http.StatusOK, with("/refunds/m", "refunds"))
	for _, path := range []string{"/refunds/m", "/prices/m"} {
		defer s.flood(t, []string{"shop/refunds", "shop/catalog"},
			withKeys("catalog.example.test"+path, s.teams, []string{"refunds", "catalog"}, "teams")...)()
	}
	for range 2 {
		s.patch(t, "aap/refunds", "shop", `[{"op":"replace","path":"/spec/targetRefs/0/sectionName","value":"prices"}]`)
		s.becomes(t, http.StatusOK, with("/prices/m", "refunds"))
		s.becomes(t, http.StatusUnauthorized, with("/prices/m", "catalog"))
		s.becomes(t, http.StatusOK, with("/refunds/m", "catalog"))
		s.kubectl(t, manifest(t, "attached.yaml", "refunds"), "apply", "-f", "-")
		s.becomes(t, http.StatusOK, with("/refunds/m", "refunds"))
		s.becomes(t, http.StatusOK, with("/prices/m", "catalog"))
	}
}

func TestPoliciesOfARuleAndItsRouteAreDeletedAndAppliedUnderTraffic(t *testing.T) {
	s := theStage
	with := func(path, policy string) request {
		return get("catalog.example.test"+path, keyOf(policy)).over(s.teams)
	}
	s.becomes(t, http.StatusOK, with("/refunds/d", "refunds"))
	defer s.flood(t, []string{"shop/refunds", "shop/catalog"}, withKeys("catalog.example.test/refunds/d", s.teams, []string{"refunds", "catalog"}, "teams")...)()
	defer s.flood(t, []string{"shop/catalog", "gateways/teams"}, withKeys("catalog.example.test/d", s.teams, []string{"catalog", "teams"}, "refunds")...)()
	for range 2 {
		s.kubectl(t, "", "delete", "aap", "refunds", "-n", "shop")
		s.becomes(t, http.StatusOK, with("/refunds/d", "catalog"))
		s.kubectl(t, manifest(t, "attached.yaml", "refunds"), "apply", "-f", "-")
		s.becomes(t, http.StatusOK, with("/refunds/d", "refunds"))

		s.kubectl(t, "", "delete", "aap", "catalog", "-n", "shop")
		s.becomes(t, http.StatusOK, with("/d", "teams"))
		s.kubectl(t, manifest(t, "attached.yaml", "catalog"), "apply", "-f", "-")
		s.becomes(t, http.StatusOK, with("/d", "catalog"))
	}
}

// The API server accepts the expression: only agentauth knows the names of CEL.
func TestAnInvalidPolicyKeepsItsTargetAndNothingWeakerTakesIt(t *testing.T) {
	s := theStage
	good := get("catalog.example.test/i", keyOf("catalog")).over(s.teams)
	s.becomes(t, http.StatusOK, good)
	defer s.flood(t, []string{"shop/catalog"}, withKeys("catalog.example.test/i", s.teams, []string{"catalog"}, "teams", "refunds")...)()
	for range 2 {
		s.patch(t, "aap/catalog", "shop", `[{"op":"add","path":"/spec/authorization","value":{"rules":[{"name":"typo","require":"identity.nosuch == 1"}]}}]`)
		s.isRefused(t, get("catalog.example.test/").over(s.teams), verdict{"shop/catalog", "PolicyInvalid", http.StatusServiceUnavailable})
		s.hasCondition(t, "shop", "catalog", "Accepted", "False", "Invalid")
		s.hasPolicy(t, get("catalog.example.test/refunds").over(s.teams), "refunds")
		s.patch(t, "aap/catalog", "shop", `[{"op":"remove","path":"/spec/authorization"}]`)
		s.becomes(t, http.StatusOK, good)
		s.hasCondition(t, "shop", "catalog", "Accepted", "True", "Accepted")
	}
}

func TestWhatAGatewayOverridesItsRoutesCannotReplace(t *testing.T) {
	s := theStage
	good := get("catalog.example.test/o", keyOf("catalog")).over(s.teams)
	s.becomes(t, http.StatusOK, good)
	defer s.flood(t, []string{"shop/catalog", "gateways/incident"}, withKeys("catalog.example.test/o", s.teams, []string{"catalog", "incident"}, "teams")...)()
	s.kubectl(t, manifest(t, "later.yaml", "incident"), "apply", "-f", "-")
	defer func() {
		s.kubectl(t, "", "delete", "aap", "incident", "-n", "gateways")
		s.becomes(t, http.StatusOK, good)
		s.hasCondition(t, "shop", "catalog", "Accepted", "True", "Accepted")
	}()
	for _, target := range []string{"catalog.example.test/", "catalog.example.test/refunds", "stock.example.test/counts", "news.example.test/", "everywhere.example.test/"} {
		for _, way := range []way{s.teams, s.teamsTLS, s.blind} {
			s.hasPolicy(t, get(target).over(way), "incident")
		}
	}
	s.hasPolicy(t, get("reports.example.test/").over(s.internal), "incident")
	for _, policy := range []string{"catalog", "refunds", "teams", "internal", "health"} {
		s.hasCondition(t, attached[policy], policy, "Accepted", "False", "Overridden")
		s.hasAncestor(t, policy, "False", "Overridden")
	}
	s.hasAncestor(t, "incident", "True", "Accepted")
	s.becomes(t, http.StatusOK, get("orders.example.test/", key)) // of the other Gateway
}
