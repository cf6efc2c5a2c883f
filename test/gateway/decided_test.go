//go:build e2e && linux

package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// attached are the policies with targetRefs, by name, and their namespaces.
var attached = map[string]string{
	"catalog": "shop", "refunds": "shop", "counts": "shop", "shapes": "shop", "pattern": "shop", "health": "shop", "watch": "shop",
	"unasked": "shop", "secure": "shop", "far": "far", "stranger": "far", "teams": "gateways", "internal": "gateways",
	"incident": "gateways", "public": "gateways",
}

// keys makes for each policy, given with its namespace, the one key that it accepts, whose owner has its name.
func keys(policies map[string]string) string {
	var out strings.Builder
	for policy, namespace := range policies {
		_, value, _ := strings.Cut(keyOf(policy), ": ")
		fmt.Fprintf(&out, `---
apiVersion: v1
kind: Secret
metadata:
  name: key-%[1]s
  namespace: %[2]s
  labels: {agentauth.dev/use: api-key, policy: %[1]s}
  annotations: {agentauth.dev/plain-keys: "*", claims.agentauth.dev/sub: %[1]s}
stringData: {first: %[3]s}
`, policy, namespace, value)
	}
	return out.String()
}

// keyOf is the header line with the key of a policy.
func keyOf(policy string) string { return "x-api-key: gateway-api-key-of-policy-" + policy }

// verdict is how agentauth answered a request: the policy that decided as namespace/name, and why.
type verdict struct {
	Policy, Reason string
	Status         int
}

// errUnasked: agentauth was not asked.
var errUnasked = errors.New("agentauth was not asked")

var requests atomic.Int64

// refusal sends a request that lacks a credential to a path of its own below the target's, and tells how it was
// decided.
func (s *stage) refusal(t *testing.T, w parts.Way, r parts.Request) (verdict, error) {
	t.Helper()
	r.Target = fmt.Sprintf("%s/r%d", strings.TrimSuffix(r.Target, "/"), requests.Add(1))
	return s.ask(t, w, r)
}

// ask sends a request that will be refused, and finds in the log how it was decided, while there is no other of its
// host and path.
func (s *stage) ask(t *testing.T, w parts.Way, r parts.Request) (verdict, error) {
	t.Helper()
	decisions := s.listen(t)
	a, err := w.Ask(t.Context(), r)
	all := decisions(r.Target)
	if err != nil {
		return verdict{}, err
	}
	if len(all) == 0 {
		return verdict{Status: a.Status}, errUnasked
	}
	return verdict{all[0].Policy, all[0].Reason, a.Status}, nil
}

// isRefused waits until a request is refused as expected.
func (s *stage) isRefused(t *testing.T, w parts.Way, r parts.Request, expected verdict) {
	t.Helper()
	parts.Within(t, 20*time.Second, func() error {
		v, err := s.refusal(t, w, r)
		if err == nil && v != expected {
			err = fmt.Errorf("%s: expected %v, got %v", r.Target, expected, v)
		}
		return err
	})
}

// by is what a policy answers without a credential.
func by(policy string) verdict {
	return verdict{attached[policy] + "/" + policy, "NoCredential", http.StatusUnauthorized}
}

// hasPolicy holds that one policy decides about a target: its key leads to the upstream, no other's does.
func (s *stage) hasPolicy(t *testing.T, w parts.Way, target, policy string) {
	t.Helper()
	s.isRefused(t, w, parts.Get(target), by(policy))
	for other := range attached {
		r := parts.Get(target, keyOf(other))
		if other != policy {
			w.Answers(t, http.StatusUnauthorized, r)
			continue
		}
		a := w.Becomes(t, http.StatusOK, r)
		if got := a.Echo.Headers.Get("x-agent-id"); got != policy {
			t.Errorf("%s: expected the upstream to see %s, got %q", target, policy, got)
		}
	}
}
