package engine

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
	"weak"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// Whatever of a snapshot outlives it must not point into it: after each change
// another snapshot would stay in memory.
func TestASnapshotThatIsNoLongerInForceLeavesMemory(t *testing.T) {
	e, _ := newWorld(Options{})
	in := many(20, true)
	first := weak.Make(load(t, e, in))
	found := weak.Make(first.Value().find)
	for i := range 3 {
		in.Policies = slices.Clone(in.Policies)
		p := setting(in.Policies[i].DeepCopy(), "x-agent-id", fmt.Sprint("'", i, "'"))
		p.Generation = int64(i + 2)
		in.Policies[i] = p
		load(t, e, in)
	}
	for deadline := time.Now().Add(10 * time.Second); first.Value() != nil || found.Value() != nil; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatal("expected the first of four snapshots to be gone, and something still holds it")
		}
	}
	runtime.KeepAlive(e)
}

func TestPoliciesWithOneInlineKeySetHoldItOnce(t *testing.T) {
	e, _ := newWorld(Options{})
	in := Input{}
	for i := range 3 {
		m := partners("https://idp.example.com")
		m.JWT.JWKS = &v1alpha1.JWKS{Inline: `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`}
		in.Policies = append(in.Policies, onHost(fmt.Sprint("p-", i), fmt.Sprintf("host-%d.example.com", i), m))
	}
	s := load(t, e, in)
	for _, p := range s.policies {
		if len(p.origin.uses) != 1 || p.origin.uses[0] != s.policies[0].origin.uses[0] {
			t.Errorf("%s: expected the key set of the others, got %v", p.Name, p.origin.uses)
		}
	}
}
