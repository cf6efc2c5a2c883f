//go:build e2e && linux

package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// Envoy does not tell which Gateway it is of.
func TestARouteOfTwoGatewaysHasThePolicyThatNoneOfThemContradicts(t *testing.T) {
	s := theStage
	for _, way := range []parts.Way{s.http, s.teams} {
		s.hasPolicy(t, way, "both.example.test/", "teams")
	}
	s.apply(t, "later.yaml", "public")
	defer func() {
		s.kubectl(t, "", "delete", "aap", "public", "-n", "gateways")
		s.isRefused(t, s.http, parts.Get("both.example.test/"), by("teams"))
	}()
	for _, way := range []parts.Way{s.http, s.teams} {
		s.isRefused(t, way, parts.Get("both.example.test/"), verdict{"", "AmbiguousMatch", http.StatusServiceUnavailable})
	}
	s.isRefused(t, s.http, parts.Get("forgotten.example.test/"), by("public"))
	s.hasPolicy(t, s.teams, "news.example.test/", "teams")
}

func TestARedirectAndTheAPIOfOneHostHaveTheirPolicies(t *testing.T) {
	s := theStage
	s.hasPolicy(t, s.teamsTLS, "secure.example.test/", "secure")
	for _, headers := range [][]string{nil, {nobodys}} {
		a := s.teams.Becomes(t, http.StatusFound, parts.Get("secure.example.test/a", headers...))
		if a.Echo.Path != "" {
			t.Errorf("the redirected request reached the upstream")
		}
	}
}

func TestATeamsPolicyCannotHaveAnothersRoute(t *testing.T) {
	s := theStage
	s.apply(t, "later.yaml", "stranger")
	defer s.kubectl(t, "", "delete", "aap", "stranger", "-n", "far")
	s.hasCondition(t, "far", "stranger", "Accepted", "False", "TargetNotFound")
	s.hasPolicy(t, s.teams, "catalog.example.test/", "catalog")
	status, err := json.Marshal(s.policy(t, "far", "stranger").Status)
	parts.Must(t, err)
	if strings.Contains(string(status), "shop") {
		t.Errorf("it learns of another team: %s", status)
	}
}
