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

// The keys that agentauth signs by go on until the new ones are compiled, and are gone
// at once where their Secret is.
func TestANewSigningKeyTakesNothingAwayAndOneThatIsGoneDoes(t *testing.T) {
	keys := func(entries ...string) *engine.Object {
		o := &engine.Object{Namespace: "shop", Name: "keys", Labels: map[string]string{v1alpha1.LabelUse: v1alpha1.UseSigning}, Data: map[string][]byte{}}
		for i := 0; i < len(entries); i += 2 {
			o.Data[entries[i]] = []byte(entries[i+1])
		}
		return o
	}
	old := keys("tls.key", "first", "next.key", "second")
	if got := both(old, keys("tls.key", "second", "next.key", "second")); got != old {
		t.Errorf("expected the old one until the new one is in force, got %+v", got)
	}
	if got := both(old, keys("next.key", "second")); got == nil || got.Data["tls.key"] != nil || got.Data["next.key"] == nil {
		t.Errorf("expected a key that is gone to be gone, got %+v", got)
	}
	other := keys("tls.key", "first", "next.key", "second")
	other.Labels = map[string]string{v1alpha1.LabelUse: v1alpha1.UseClient}
	if both(old, nil) != nil || both(old, other) != nil {
		t.Error("expected a Secret that is gone, or has another use, to be gone")
	}
}
