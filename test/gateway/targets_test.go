//go:build e2e && linux

package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
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
		for name, way := range map[string]way{"plaintext": s.teams, "TLS": s.teamsTLS} {
			t.Run(target+" by "+name, func(t *testing.T) { s.hasPolicy(t, get(target).over(way), policy) })
		}
	}
	// Envoy Gateway tries regular expressions before prefixes.
	s.hasPolicy(t, get("shapes.example.test/shapes/new").over(s.teams), "pattern")
	s.hasPolicy(t, get("shapes.example.test/shapes/old").over(s.teams), "shapes")
	s.hasPolicy(t, get("reports.example.test/").over(s.internal), "internal")
	if a, err := s.try(t.Context(), get("reports.example.test/", keyOf("internal")).over(s.teams)); err != nil || a.status != http.StatusNotFound {
		t.Errorf("a route at another listener: expected 404, got %d, %v", a.status, err)
	}
}

// A listener's policy and its Gateway's are both possible: none of them is taken by chance.
func TestARouteOfListenersWithDifferentPoliciesIsDecidedByNone(t *testing.T) {
	s := theStage
	for _, way := range []way{s.teams, s.internal, s.teamsTLS, s.blind} {
		s.isRefused(t, get("everywhere.example.test/").over(way), verdict{"", "AmbiguousMatch", http.StatusServiceUnavailable})
		for _, policy := range []string{"teams", "internal"} {
			if a, err := s.try(t.Context(), get("everywhere.example.test/", keyOf(policy)).over(way)); err != nil || a.status != http.StatusServiceUnavailable {
				t.Errorf("with the key of %s: expected 503, got %d, %v", policy, a.status, err)
			}
		}
	}
}

func TestARouteWithoutAnyPolicyIsRefusedOnceItIsAskedAbout(t *testing.T) {
	s := theStage
	s.isRefused(t, get("forgotten.example.test/", key), verdict{"", "NoPolicy", http.StatusForbidden})
}

// docs/envoy-gateway.md says so in bold.
func TestAPolicyWithoutASecurityPolicyIsNotAskedFor(t *testing.T) {
	s := theStage
	s.becomes(t, http.StatusOK, get("unasked.example.test/"))
	if v, err := s.refusal(t, get("unasked.example.test/")); !errors.Is(err, errUnasked) || v.Status != http.StatusOK {
		t.Errorf("expected 200 without a question, got %v, %v", v, err)
	}
}

func TestWithoutTheNameOfTheRouteItIsTheSamePolicyOrNone(t *testing.T) {
	s := theStage
	for target, policy := range whose {
		t.Run(target, func(t *testing.T) { s.hasPolicy(t, get(target).over(s.blind), policy) })
	}
	// Which rule it is depends on the proxy.
	s.isRefused(t, get("shapes.example.test/shapes/new").over(s.blind), verdict{"", "AmbiguousMatch", http.StatusServiceUnavailable})
	s.hasPolicy(t, get("shapes.example.test/shapes/old").over(s.blind), "shapes")
	for _, policy := range []string{"pattern", "shapes"} {
		if a, err := s.try(t.Context(), get("shapes.example.test/shapes/new", keyOf(policy)).over(s.blind)); err != nil || a.status != http.StatusServiceUnavailable {
			t.Errorf("with the key of %s: expected 503, got %d, %v", policy, a.status, err)
		}
	}
	p := s.policy(t, "shop", "pattern")
	must(t, standing(p.Status.Conditions, "Accepted", "True", "Accepted", p.Generation))
	if text := fmt.Sprint(p.Status.Conditions); !strings.Contains(text, "proxies") {
		t.Errorf("expected a warning, got %s", text)
	}
}
