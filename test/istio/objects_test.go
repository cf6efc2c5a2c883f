//go:build e2e && linux

package istio

import (
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// traffic sends a good and a bad request for a host until the test ends.
func traffic(t *testing.T, w parts.Way, host string) (good, bad parts.Request) {
	t.Helper()
	good, bad = parts.Get(host+"/moving", key), parts.Get(host+"/moving", "x-api-key: nobodys")
	w.Becomes(t, http.StatusOK, good)
	t.Cleanup(parts.Flood(t, parts.Stream{Way: w, Request: good, Agent: "robot"}, parts.Stream{Way: w, Request: bad}))
	return good, bad
}

// apply applies the one object of testdata that begins so.
func (s *stage) apply(t *testing.T, kind, metadata string) {
	t.Helper()
	object, err := s.words.Object(os.DirFS("testdata"), "kind: "+kind+"\nmetadata: {"+metadata+"}\n", files...)
	parts.Must(t, err)
	s.kubectl(t, object, "apply", "-f", "-")
}

// without deletes an object of testdata, which has a good request answered by a status, and applies it again.
func (s *stage) without(t *testing.T, w parts.Way, good parts.Request, status int, kind, namespace, name string) {
	t.Helper()
	s.kubectl(t, "", "delete", kind, name, "-n", namespace)
	w.Becomes(t, status, good)
	s.apply(t, kind, "name: "+name+", namespace: "+namespace)
	w.Becomes(t, http.StatusOK, good)
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
