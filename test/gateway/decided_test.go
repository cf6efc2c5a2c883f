//go:build e2e && linux

package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
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
  annotations: {claims.agentauth.dev/sub: %[1]s}
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
func (s *stage) refusal(t *testing.T, r request) (verdict, error) {
	t.Helper()
	r.target = fmt.Sprintf("%s/r%d", strings.TrimSuffix(r.target, "/"), requests.Add(1))
	return s.ask(t, r)
}

// ask sends a request that will be refused, and finds in the log how it was decided, while there is no other of its
// host and path: agentauth logs before it answers.
func (s *stage) ask(t *testing.T, r request) (verdict, error) {
	t.Helper()
	log, err := os.Open(s.agentauth.Log)
	must(t, err)
	defer log.Close()
	_, err = log.Seek(0, io.SeekEnd)
	must(t, err)
	a, err := s.try(t.Context(), r)
	if err != nil {
		return verdict{}, err
	}
	written, err := io.ReadAll(log)
	must(t, err)
	target, _, _ := strings.Cut(r.target, "?")
	for line := range bytes.Lines(written) {
		var record struct{ Host, Path, Policy, Reason string }
		if json.Unmarshal(line, &record) == nil && record.Host+record.Path == target {
			return verdict{record.Policy, record.Reason, a.status}, nil
		}
	}
	return verdict{Status: a.status}, errUnasked
}

// isRefused waits until a request is refused as expected.
func (s *stage) isRefused(t *testing.T, r request, expected verdict) {
	t.Helper()
	parts.Within(t, 20*time.Second, func() error {
		v, err := s.refusal(t, r)
		if err == nil && v != expected {
			err = fmt.Errorf("%s: expected %v, got %v", r.target, expected, v)
		}
		return err
	})
}

// by is what a policy answers without a credential.
func by(policy string) verdict {
	return verdict{attached[policy] + "/" + policy, "NoCredential", http.StatusUnauthorized}
}

// hasPolicy holds that one policy decides a request: its key leads to the upstream, no other's does.
func (s *stage) hasPolicy(t *testing.T, r request, policy string) {
	t.Helper()
	s.isRefused(t, r, by(policy))
	for other := range attached {
		r.headers = []string{keyOf(other)}
		if other == policy {
			a := s.becomes(t, http.StatusOK, r)
			if got := a.echo.Headers.Get("x-agent-id"); got != policy {
				t.Errorf("%s: expected the upstream to see %s, got %q", r.target, policy, got)
			}
			continue
		}
		if a, err := s.try(t.Context(), r); err != nil || a.status != http.StatusUnauthorized {
			t.Errorf("%s with the key of %s: expected 401, got %d, %v", r.target, other, a.status, err)
		}
	}
}
