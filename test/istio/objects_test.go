//go:build e2e && linux

package istio

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// traffic sends a good and a bad request for a host until the test ends.
func traffic(t *testing.T, w parts.Way, host string) (good, bad parts.Request) {
	t.Helper()
	good, bad = parts.Get(host+"/moving", key), parts.Get(host+"/moving", "x-api-key: nobodys")
	w.Becomes(t, http.StatusOK, good)
	t.Cleanup(w.Flood(t, "robot", good, bad))
	return good, bad
}

// apply applies the one object of testdata that begins so.
func (s *stage) apply(t *testing.T, kind, metadata string) {
	t.Helper()
	for _, file := range []string{"istio.yaml", "plain.yaml", "doors.yaml", "policies.yaml", "gateway-api.yaml", "workload.yaml"} {
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

// protect applies the AuthorizationPolicy of the ingress that has an agent.
func (s *stage) protect(t *testing.T) {
	t.Helper()
	s.apply(t, "AuthorizationPolicy", "name: agentauth, namespace: gateways")
}

// provide has the ingress ask a provider of testdata/mesh.yaml, or one that is not there.
func (s *stage) provide(t *testing.T, provider string) {
	t.Helper()
	s.kubectl(t, "", "patch", "authorizationpolicy", "agentauth", "-n", "gateways", "--type=merge", "-p", fmt.Sprintf(`{"spec": {"provider": {"name": %q}}}`, provider))
}

// rule has the ingress of a namespace ask about what a rule covers.
func (s *stage) rule(t *testing.T, namespace, rule string) {
	t.Helper()
	s.kubectl(t, "", "patch", "authorizationpolicy", "agentauth", "-n", namespace, "--type=merge", "-p", fmt.Sprintf(`{"spec": {"rules": [%s]}}`, rule))
}
