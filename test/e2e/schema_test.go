//go:build e2e && !quick

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const policiesCRD = "crd/agentauthpolicies.agentauth.dev"

// install replaces the CRD by one with other properties of spec.
func (k *kube) install(t tester, change func(properties map[string]any)) {
	t.Helper()
	var crd map[string]any
	must(t, json.Unmarshal([]byte(k.kubectl(t, "", "get", policiesCRD, "-o", "json")), &crd))
	at := crd["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
	for _, name := range []string{"schema", "openAPIV3Schema", "properties", "spec", "properties"} {
		if name == "properties" {
			delete(at, "x-kubernetes-validations") // a rule may read what is changed
		}
		at = at[name].(map[string]any)
	}
	change(at)
	data, err := json.Marshal(crd)
	must(t, err)
	k.kubectl(t, string(data), "replace", "-f", "-")
}

// restore applies the CRD of this checkout.
func (k *kube) restore(t tester) {
	t.Helper()
	root, err := parts.Root()
	must(t, err)
	k.kubectl(t, "", "apply", "--server-side", "--force-conflicts", "-f", root+"/config/crd")
}

// matches waits until agentauth says whether the CRD is its own, and returns what it says more.
func matches(t tester, a *parts.Agentauth, want float64) string {
	t.Helper()
	within(t, 30*time.Second, "agentauth_schema_matches", func() error {
		if got := gauge(t, a, "agentauth_schema_matches"); got != want {
			return fmt.Errorf("expected %v, got %v", want, got)
		}
		return nil
	})
	verbose, err := a.Get(t.Context(), "/readyz?verbose") // ready, whatever it says
	must(t, err)
	return string(verbose)
}

func TestACRDOfAnotherVersionIsToldAndNeverStopsDeciding(t *testing.T) {
	k := useKube(t)
	ns := k.namespace(t, "schema")
	t.Cleanup(func() { k.restore(outliving{t, &suite}) })
	a := k.agentauth(t, "one")
	const rule = "  authorization: {rules: [{name: never, require: 'false'}]}"
	k.apply(t, publicOn(ns, "guarded", "guarded.schema.test", rule)+publicOn(ns, "open", "open.schema.test", ""))
	answers(t, soon, a, "guarded.schema.test", "", 403)
	if said := matches(t, a, 1); strings.Contains(said, "CRD") {
		t.Errorf("nothing is wrong, and it says\n%s", said)
	}

	// An older CRD takes a restriction out of what is stored already, and out of what comes.
	k.install(t, func(properties map[string]any) { delete(properties, "authorization") })
	said := matches(t, a, 0)
	const warning = "the API server takes these fields out of policies, which may then allow more than was written: spec.authorization;"
	if !strings.Contains(said, warning) {
		t.Errorf("expected %q in\n%s", warning, said)
	}
	answers(t, soon, a, "open.schema.test", "", 0)
	answers(t, time.Minute, a, "guarded.schema.test", "", 0) // as said: this is why it is told
	if _, err := k.Kubectl(t.Context(), publicOn(ns, "late", "late.schema.test", rule), "apply", "-f", "-"); err == nil || !strings.Contains(err.Error(), `unknown field "spec.authorization"`) {
		t.Errorf("expected kubectl to refuse a field that would be taken out, got %v", err)
	}

	k.restore(t)
	if said := matches(t, a, 1); strings.Contains(said, "CRD") {
		t.Errorf("nothing is wrong any more, and it says\n%s", said)
	}
	answers(t, time.Minute, a, "guarded.schema.test", "", 403) // without anybody touching the policy

	// A newer CRD lets fields in that are not known here: such a policy is not decided by the rest of it.
	k.install(t, func(properties map[string]any) {
		properties["quota"] = map[string]any{"type": "object", "properties": map[string]any{"perMinute": map[string]any{"type": "integer"}}}
	})
	if said := matches(t, a, 0); !strings.Contains(said, "policies with these fields are refused here: spec.quota;") {
		t.Errorf("got\n%s", said)
	}
	within(t, 30*time.Second, "the new field", func() error {
		_, err := k.Kubectl(t.Context(), publicOn(ns, "newer", "newer.schema.test", "  quota: {perMinute: 5}"), "apply", "-f", "-")
		return err
	})
	answers(t, time.Minute, a, "newer.schema.test", "", 503)
	if m := k.has(t, ns, "newer", "Accepted", "False", "Invalid"); !strings.Contains(m, "spec.quota: ") || !strings.Contains(m, "does not know the field") {
		t.Errorf("got %q", m)
	}
	answers(t, soon, a, "open.schema.test", "", 0)
	k.restore(t)
	matches(t, a, 1)

	log, err := os.ReadFile(a.Log)
	must(t, err)
	if n := strings.Count(string(log), "the CRD of policies is not as expected"); n != 2 {
		t.Errorf("expected each of the two changes to be logged once, got %d", n)
	}
}
