//go:build e2e && linux

package istio

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// traffic sends a good and a bad request for a host until the test ends.
func (s *stage) traffic(t *testing.T, host string) (good, bad parts.Request) {
	t.Helper()
	good, bad = parts.Get(host+"/moving", key), parts.Get(host+"/moving", "x-api-key: nobodys")
	s.http.Becomes(t, http.StatusOK, good)
	t.Cleanup(s.http.Flood(t, "robot", good, bad))
	return good, bad
}

// apply applies the one object of testdata that begins so.
func (s *stage) apply(t *testing.T, kind, metadata string) {
	t.Helper()
	for _, file := range []string{"istio.yaml", "doors.yaml", "policies.yaml", "gateway-api.yaml"} {
		text, err := s.testdata(file)
		must(t, err)
		for object := range strings.SplitSeq(text, "\n---\n") {
			if strings.Contains(object, "kind: "+kind+"\nmetadata: {"+metadata+"}\n") {
				s.kubectl(t, object, "apply", "-f", "-")
				return
			}
		}
	}
	t.Fatalf("no %s {%s} in testdata", kind, metadata)
}

// protect applies the AuthorizationPolicy of the ingress.
func (s *stage) protect(t *testing.T) {
	t.Helper()
	s.apply(t, "AuthorizationPolicy", "name: agentauth, namespace: gateways")
}

// provide has the ingress ask a provider of testdata/mesh.yaml, or one that is not there.
func (s *stage) provide(t *testing.T, provider string) {
	t.Helper()
	s.kubectl(t, "", "patch", "authorizationpolicy", "agentauth", "-n", "gateways", "--type=merge", "-p", fmt.Sprintf(`{"spec": {"provider": {"name": %q}}}`, provider))
}

// rule has the ingress ask about what a rule covers.
func (s *stage) rule(t *testing.T, rule string) {
	t.Helper()
	s.kubectl(t, "", "patch", "authorizationpolicy", "agentauth", "-n", "gateways", "--type=merge", "-p", fmt.Sprintf(`{"spec": {"rules": [%s]}}`, rule))
}

func TestAPolicyThatIsDeletedAndAppliedUnderTrafficNeverLetsAnybodyThrough(t *testing.T) {
	s := theStage
	good, bad := s.traffic(t, "traffic.example.test")
	for range 5 {
		s.kubectl(t, "", "delete", "aap", "traffic", "-n", "shop")
		s.http.Becomes(t, http.StatusForbidden, good)
		s.apply(t, "AgentAuthPolicy", "name: traffic, namespace: shop")
		s.http.Becomes(t, http.StatusOK, good)
		s.http.Becomes(t, http.StatusUnauthorized, bad)
	}
}

func TestAnAuthorizationPolicyThatIsChangedUnderTrafficNeverLetsAnybodyThrough(t *testing.T) {
	s := theStage
	s.traffic(t, "orders.example.test")
	open := parts.Get("open.example.test/")
	for range 5 {
		s.rule(t, "{}")
		s.http.Becomes(t, http.StatusForbidden, open)
		s.protect(t)
		s.http.Becomes(t, http.StatusOK, open)
	}
}

// An AuthorizationPolicy whose provider the mesh does not have refuses everything that it covers.
func TestAProviderThatIsNotThereLetsNobodyThrough(t *testing.T) {
	s := theStage
	good, _ := s.traffic(t, "orders.example.test")
	s.provide(t, "nobody")
	s.http.Becomes(t, http.StatusForbidden, good)
	s.protect(t)
	s.http.Becomes(t, http.StatusOK, good)
}

func TestAServiceThatIsTakenAwayUnderTrafficLetsNobodyThrough(t *testing.T) {
	s := theStage
	good, _ := s.traffic(t, "orders.example.test")
	for range 3 {
		s.kubectl(t, "", "delete", "service", "agentauth", "-n", "agentauth-system")
		s.http.Becomes(t, http.StatusForbidden, good)
		s.apply(t, "Service", "name: agentauth, namespace: agentauth-system")
		s.http.Becomes(t, http.StatusOK, good)
	}
}

func TestWithoutItsDestinationRuleTheIngressHasNoCertificateAndLetsNobodyThrough(t *testing.T) {
	s := theStage
	good, _ := s.traffic(t, "orders.example.test")
	s.kubectl(t, "", "delete", "destinationrule", "agentauth", "-n", "gateways")
	s.http.Becomes(t, http.StatusServiceUnavailable, good)
	s.apply(t, "DestinationRule", "name: agentauth, namespace: gateways")
	s.http.Becomes(t, http.StatusOK, good)
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

// From its first answer on: it listens when it knows what to ask.
func TestAnIngressThatStartsLetsNobodyThrough(t *testing.T) {
	s := theStage
	bad := parts.Get("orders.example.test/starting", spoof)
	s.http.Becomes(t, http.StatusUnauthorized, bad)
	must(t, s.ingress.Stop())
	started := make(chan error, 1)
	go func() { started <- s.startIngress(context.WithoutCancel(t.Context())) }()
	answers, done := 0, false
	for end := time.Now().Add(time.Minute); (!done || answers < 20) && time.Now().Before(end); {
		select {
		case err := <-started:
			must(t, err)
			done = true
		default:
		}
		a, err := s.http.Ask(t.Context(), bad)
		if err != nil {
			continue
		}
		answers++
		if a.Status == http.StatusOK {
			t.Errorf("answer %d let it through", answers)
		}
	}
	if !done {
		must(t, <-started)
	}
	s.http.Becomes(t, http.StatusUnauthorized, bad)
}

func TestWithoutAgentauthNothingIsLetThrough(t *testing.T) {
	s := theStage
	good := parts.Get("orders.example.test/alone", key)
	s.http.Becomes(t, http.StatusOK, good)
	must(t, s.agentauth.Stop())
	before := s.upstream.Count()
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		a, err := s.http.Ask(t.Context(), good)
		must(t, err)
		if a.Status != http.StatusServiceUnavailable {
			t.Fatalf("expected 503, got %d: %s", a.Status, a.Body)
		}
	}
	if s.upstream.Count() != before {
		t.Error("a request reached the upstream")
	}
	if a, err := s.http.Ask(t.Context(), parts.Get("open.example.test/")); err != nil || a.Status != http.StatusOK {
		t.Errorf("a host that is not protected: expected 200, got %d, %v", a.Status, err)
	}
	must(t, s.startAgentauth(context.WithoutCancel(t.Context())))
	s.http.Becomes(t, http.StatusOK, good)
}
