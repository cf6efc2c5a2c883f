//go:build e2e && linux

package istio

import (
	"net/http"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

func TestAPolicyThatIsDeletedAndAppliedUnderTrafficNeverLetsAnybodyThrough(t *testing.T) {
	s := theStage
	good, bad := traffic(t, s.http, "traffic.example.test")
	for range 5 {
		s.without(t, s.http, good, http.StatusForbidden, "AgentAuthPolicy", "shop", "traffic")
		s.http.Becomes(t, http.StatusUnauthorized, bad)
	}
}

func TestAnAuthorizationPolicyThatIsChangedUnderTrafficNeverLetsAnybodyThrough(t *testing.T) {
	s := theStage
	open := parts.Get("open.example.test/")
	for namespace, w := range map[string]parts.Way{"gateways": s.http, "plain": s.alone.http} {
		traffic(t, w, "orders.example.test")
		for range 5 {
			s.rule(t, namespace, "{}")
			w.Becomes(t, http.StatusForbidden, open)
			s.apply(t, "AuthorizationPolicy", "name: agentauth, namespace: "+namespace)
			w.Becomes(t, http.StatusOK, open)
		}
	}
}

// An AuthorizationPolicy whose provider the mesh does not have refuses everything that it covers.
func TestAProviderThatIsNotThereLetsNobodyThrough(t *testing.T) {
	s := theStage
	good, _ := traffic(t, s.http, "orders.example.test")
	s.provide(t, "nobody")
	s.http.Becomes(t, http.StatusForbidden, good)
	s.protect(t)
	s.http.Becomes(t, http.StatusOK, good)
}

func TestAServiceThatIsTakenAwayUnderTrafficLetsNobodyThrough(t *testing.T) {
	s := theStage
	good, _ := traffic(t, s.http, "orders.example.test")
	for range 3 {
		s.without(t, s.http, good, http.StatusForbidden, "Service", "agentauth-system", "agentauth")
	}
}

func TestWithoutItsDestinationRuleTheIngressHasNoCertificateAndLetsNobodyThrough(t *testing.T) {
	s := theStage
	good, _ := traffic(t, s.http, "orders.example.test")
	s.without(t, s.http, good, http.StatusServiceUnavailable, "DestinationRule", "gateways", "agentauth")
}

// As with every AuthorizationPolicy: docs/istio.md.
func TestWithoutTheAuthorizationPolicyNothingIsProtected(t *testing.T) {
	s := theStage
	bad := parts.Get("orders.example.test/", spoof)
	s.http.Becomes(t, http.StatusUnauthorized, bad)
	s.kubectl(t, "", "delete", "authorizationpolicy", "agentauth", "-n", "gateways")
	s.http.Becomes(t, http.StatusOK, bad)
	s.protect(t)
	s.http.Becomes(t, http.StatusUnauthorized, bad)
}
