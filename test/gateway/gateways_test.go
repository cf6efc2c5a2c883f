//go:build e2e && linux

package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// Envoy does not tell which Gateway it is of.
func TestARouteOfTwoGatewaysHasThePolicyThatNoneOfThemContradicts(t *testing.T) {
	s := theStage
	for _, way := range []way{s.http, s.teams} {
		s.hasPolicy(t, get("both.example.test/").over(way), "teams")
	}
	s.kubectl(t, manifest(t, "later.yaml", "public"), "apply", "-f", "-")
	defer func() {
		s.kubectl(t, "", "delete", "aap", "public", "-n", "gateways")
		s.isRefused(t, get("both.example.test/"), by("teams"))
	}()
	for _, way := range []way{s.http, s.teams} {
		s.isRefused(t, get("both.example.test/").over(way), verdict{"", "AmbiguousMatch", http.StatusServiceUnavailable})
	}
	s.isRefused(t, get("forgotten.example.test/"), by("public"))
	s.hasPolicy(t, get("news.example.test/").over(s.teams), "teams")
}

func TestARedirectAndTheAPIOfOneHostHaveTheirPolicies(t *testing.T) {
	s := theStage
	s.hasPolicy(t, get("secure.example.test/").over(s.teamsTLS), "secure")
	for _, headers := range [][]string{nil, {nobodys}} {
		a := s.becomes(t, http.StatusFound, get("secure.example.test/a", headers...).over(s.teams))
		if a.echo.Path != "" {
			t.Errorf("the redirected request reached the upstream")
		}
	}
}

func TestATeamsPolicyCannotHaveAnothersRoute(t *testing.T) {
	s := theStage
	s.kubectl(t, manifest(t, "later.yaml", "stranger"), "apply", "-f", "-")
	defer s.kubectl(t, "", "delete", "aap", "stranger", "-n", "far")
	s.hasCondition(t, "far", "stranger", "Accepted", "False", "TargetNotFound")
	s.hasPolicy(t, get("catalog.example.test/").over(s.teams), "catalog")
	status, err := json.Marshal(s.policy(t, "far", "stranger").Status)
	must(t, err)
	if strings.Contains(string(status), "shop") {
		t.Errorf("it learns of another team: %s", status)
	}
}
