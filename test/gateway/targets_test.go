//go:build e2e && linux

package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// whose says which policy with targetRefs decides which request, wherever the Gateway tells the route.
var whose = map[string]string{
	"catalog.example.test/":           "catalog", // a rule without a name
	"catalog.example.test/prices/1":   "catalog", // a rule with a name and no policy
	"catalog.example.test/refunds/1":  "refunds",
	"catalog.example.test/refundsome": "catalog",
	"stock.example.test/counts/1":     "counts",
	"stock.example.test/":             "teams", // the Gateway's
	"news.example.test/":              "teams",
}

func TestTheTargetOfARouteOrRuleOrGatewayDecides(t *testing.T) {
	s := theStage
	for target, policy := range whose {
		for name, way := range map[string]parts.Way{"plaintext": s.teams, "TLS": s.teamsTLS} {
			t.Run(target+" by "+name, func(t *testing.T) { s.hasPolicy(t, way, target, policy) })
		}
	}
	// Envoy Gateway tries regular expressions before prefixes.
	s.hasPolicy(t, s.teams, "shapes.example.test/shapes/new", "pattern")
	s.hasPolicy(t, s.teams, "shapes.example.test/shapes/old", "shapes")
	s.hasPolicy(t, s.internal, "reports.example.test/", "internal")
	s.teams.Answers(t, http.StatusNotFound, parts.Get("reports.example.test/", keyOf("internal"))) // is at another listener
}

// A listener's policy and its Gateway's are both possible: none of them is taken by chance.
func TestARouteOfListenersWithDifferentPoliciesIsDecidedByNone(t *testing.T) {
	s := theStage
	for _, way := range []parts.Way{s.teams, s.internal, s.teamsTLS, s.blind} {
		s.isRefused(t, way, parts.Get("everywhere.example.test/"), verdict{"", "AmbiguousMatch", http.StatusServiceUnavailable})
		for _, policy := range []string{"teams", "internal"} {
			way.Answers(t, http.StatusServiceUnavailable, parts.Get("everywhere.example.test/", keyOf(policy)))
		}
	}
}

func TestARouteWithoutAnyPolicyIsRefusedOnceItIsAskedAbout(t *testing.T) {
	s := theStage
	s.isRefused(t, s.http, parts.Get("forgotten.example.test/", key), verdict{"", "NoPolicy", http.StatusForbidden})
}

// docs/envoy-gateway.md says so in bold.
func TestAPolicyWithoutASecurityPolicyIsNotAskedFor(t *testing.T) {
	s := theStage
	s.http.Becomes(t, http.StatusOK, parts.Get("unasked.example.test/"))
	if v, err := s.refusal(t, s.http, parts.Get("unasked.example.test/")); !errors.Is(err, errUnasked) || v.Status != http.StatusOK {
		t.Errorf("expected 200 without a question, got %v, %v", v, err)
	}
}

func TestWithoutTheNameOfTheRouteItIsTheSamePolicyOrNone(t *testing.T) {
	s := theStage
	for target, policy := range whose {
		t.Run(target, func(t *testing.T) { s.hasPolicy(t, s.blind, target, policy) })
	}
	// Which rule it is depends on the proxy.
	s.isRefused(t, s.blind, parts.Get("shapes.example.test/shapes/new"), verdict{"", "AmbiguousMatch", http.StatusServiceUnavailable})
	s.hasPolicy(t, s.blind, "shapes.example.test/shapes/old", "shapes")
	for _, policy := range []string{"pattern", "shapes"} {
		s.blind.Answers(t, http.StatusServiceUnavailable, parts.Get("shapes.example.test/shapes/new", keyOf(policy)))
	}
	p := s.policy(t, "shop", "pattern")
	parts.Must(t, standing(p.Status.Conditions, "Accepted", "True", "Accepted", p.Generation))
	if text := fmt.Sprint(p.Status.Conditions); !strings.Contains(text, "proxies") {
		t.Errorf("expected a warning, got %s", text)
	}
}
