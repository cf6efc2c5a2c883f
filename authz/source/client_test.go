package source

import (
	"testing"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// No request is dropped by a new secret of agentauth as a client: the old one serves
// until the policies with the new one are compiled.
func TestANewSecretOfAClientTakesNothingAwayAndOneThatIsGoneDoes(t *testing.T) {
	client := func(entries ...string) *engine.Object {
		o := &engine.Object{Namespace: "shop", Name: "rs", Labels: map[string]string{v1alpha1.LabelUse: v1alpha1.UseClient}, Data: map[string][]byte{}}
		for i := 0; i < len(entries); i += 2 {
			o.Data[entries[i]] = []byte(entries[i+1])
		}
		return o
	}
	old := client("client-id", "rs", "client-secret", "first")
	if got := both(old, client("client-id", "rs", "client-secret", "second")); got != old {
		t.Errorf("expected the old one until the new one is in force, got %+v", got)
	}
	if got := both(old, client("client-id", "rs")); got == nil || got.Data["client-secret"] != nil {
		t.Errorf("expected a secret that is gone to be gone, got %+v", got)
	}
	if got := both(old, nil); got != nil {
		t.Errorf("expected a Secret that is gone to be gone, got %+v", got)
	}
}
