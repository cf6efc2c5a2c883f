//go:build e2e && linux

package gateway

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/test/parts"
)

func (s *stage) policy(t *testing.T, namespace, name string) (p v1alpha1.AgentAuthPolicy) {
	t.Helper()
	parts.Must(t, json.Unmarshal([]byte(s.kubectl(t, "", "get", "aap", name, "-n", namespace, "-o", "json")), &p))
	return p
}

// standing says how a condition is not as expected.
func standing(conditions []metav1.Condition, kind string, status metav1.ConditionStatus, reason string, generation int64) error {
	i := slices.IndexFunc(conditions, func(c metav1.Condition) bool { return c.Type == kind })
	if i < 0 {
		return fmt.Errorf("expected a condition %s, got %v", kind, conditions)
	}
	if c := conditions[i]; c.Status != status || c.Reason != reason || c.ObservedGeneration != generation || c.Message == "" {
		return fmt.Errorf("expected %s %s %s of generation %d, got %+v", kind, status, reason, generation, c)
	}
	return nil
}

func (s *stage) hasCondition(t *testing.T, namespace, name, kind string, status metav1.ConditionStatus, reason string) {
	t.Helper()
	parts.Within(t, 20*time.Second, func() error {
		p := s.policy(t, namespace, name)
		return standing(p.Status.Conditions, kind, status, reason, p.Generation)
	})
}

// hasAncestor holds that the Gateway teams, and no other, is what a policy is Accepted for or not.
func (s *stage) hasAncestor(t *testing.T, name string, status metav1.ConditionStatus, reason string) {
	t.Helper()
	parts.Within(t, 20*time.Second, func() error {
		p := s.policy(t, attached[name], name)
		if len(p.Status.Ancestors) != 1 {
			return fmt.Errorf("%s: expected one ancestor, got %v", name, p.Status.Ancestors)
		}
		a := p.Status.Ancestors[0]
		ref, err := json.Marshal(a.AncestorRef)
		parts.Must(t, err)
		const teams = `{"group":"gateway.networking.k8s.io","kind":"Gateway","namespace":"gateways","name":"teams"}`
		if string(ref) != teams || a.ControllerName != "agentauth.dev/controller" {
			return fmt.Errorf("%s: expected %s by agentauth.dev/controller, got %s by %s", name, teams, ref, a.ControllerName)
		}
		return standing(a.Conditions, "Accepted", status, reason, p.Generation)
	})
}

func TestKubectlTellsHowAPolicyStands(t *testing.T) {
	s := theStage
	for _, namespace := range []string{"shop", "gateways", "far"} {
		s.kubectl(t, "", "wait", "--for=condition=Ready", "--timeout=20s", "aap", "--all", "-n", namespace)
	}
	for policy := range attached {
		if !slices.Contains([]string{"unasked", "incident", "public", "stranger"}, policy) { // another Gateway's, or not applied
			s.hasAncestor(t, policy, "True", "Accepted")
		}
	}
	for _, c := range []struct {
		args   []string
		header string
		row    []string // its beginning
	}{
		{[]string{"get", "aap", "refunds", "-n", "shop"}, "NAME READY REASON MODE HOSTS TARGETS MESSAGE AGE", []string{"refunds", "True", "Ready", "catalog", "in", "force"}},
		{[]string{"get", "aap", "refunds", "-n", "shop", "-o", "wide"}, "NAME READY ACCEPTED RESOLVED PROGRAMMED REASON MODE HOSTS TARGETS MESSAGE AGE", []string{"refunds", "True", "True", "True", "True", "Ready", "catalog", "in", "force"}},
	} {
		lines := strings.Split(s.kubectl(t, "", c.args...), "\n")
		if got := strings.Join(strings.Fields(lines[0]), " "); got != c.header {
			t.Errorf("%q: expected columns %s, got %s", c.args, c.header, got)
		}
		if row := strings.Fields(lines[1]); len(row) < len(c.row) || !slices.Equal(row[:len(c.row)], c.row) {
			t.Errorf("%q: expected %q, got %q", c.args, c.row, row)
		}
	}
	for field, words := range map[string]string{
		"aap.spec.targetRefs": "Gateway API", "aap.spec.targetRefs.sectionName": "rule", "aap.spec.precedence": "Override", "aap.status.ancestors": "Gateway",
	} {
		if text := s.kubectl(t, "", "explain", field); !strings.Contains(text, words) {
			t.Errorf("kubectl explain %s: expected %q in\n%s", field, words, text)
		}
	}
}
