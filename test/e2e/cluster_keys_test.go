//go:build e2e && !quick

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestAProviderThatCannotBeReachedIsToldAtItsPoliciesUntilItCan(t *testing.T) {
	var good atomic.Bool
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !good.Load() {
			http.Error(w, "secret", http.StatusInternalServerError)
			return
		}
		_, _ = fmt.Fprint(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	}))
	defer provider.Close()
	k := useKube(t)
	ns := k.namespace(t, "unreachable")
	k.apply(t, fmt.Sprintf(`
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: tokens, namespace: %s}
spec:
  routes: [{hostnames: [tokens.unreachable.test]}]
  authentication: {methods: [{name: token, jwt: {anyIssuer: true, anyAudience: true, jwks: {uri: %q}}}]}
`, ns, provider.URL+"/keys"))
	a := k.agentauth(t, "one", "--egress-allow-http", "--egress-allow-cidr=127.0.0.0/8")
	says := func(want string) {
		t.Helper()
		within(t, 60*time.Second, want, func() error {
			c := k.conditions(t, ns, "tokens")["ResolvedRefs"]
			if c.Status != "True" || !strings.Contains(c.Message, want) || strings.Contains(c.Message, "secret") {
				return fmt.Errorf("got %+v", c)
			}
			return nil
		})
	}
	says("cannot be fetched: key set: answered 500, 200 was expected; no keys are held")
	good.Store(true)
	says("every reference resolves")
	log, err := os.ReadFile(a.Log)
	must(t, err)
	for _, line := range []string{"the keys of a provider cannot be fetched", "the keys of a provider are fetched again"} {
		if n := strings.Count(string(log), line); n != 1 {
			t.Errorf("%q is logged %d times", line, n)
		}
	}
}
