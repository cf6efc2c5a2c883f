package cases

import (
	"testing"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/store"
	"github.com/agentauth-dev/agentauth/authz/verified"
)

// A proof is recorded by the policy that decides, and by no shadowed one beside it or
// alone.
func TestAShadowedPolicyUsesUpNoProof(t *testing.T) {
	f, in := proofs(t)
	token := expand(t, `${jwt rsa1 RS256 %s}`, boundClaims)
	host := string(in.Policies[0].Spec.Routes[0].Hostnames[0])
	trial := in.Policies[0].DeepCopy()
	trial.Name, trial.Spec.Mode = "trial", v1alpha1.ModeShadow
	in.Policies = append(in.Policies, trial)
	e := provingEngine(t, f, in, verified.New(verified.Options{Bytes: 1 << 20}), store.NewMemory(1<<20, nil))
	raw := proven(t, host, token, "used-once")
	for step, want := range [][]string{
		{"allow", "shadow allow Allowed", "shadow-policy shop/trial"},
		{"deny 401 ProofReplayed", "shadow allow Allowed"}, // it does not remember
	} {
		if d := e.Decide(t.Context(), raw); Check(&d, want, true) != nil {
			t.Errorf("step %d: wanted %q, got %+v, shadow %+v", step, want, d, d.Shadow)
		}
	}
	in.Policies = []*v1alpha1.AgentAuthPolicy{trial}
	s, _ := e.Compile(in)
	e.Swap(s)
	fresh := proven(t, host, token, "another")
	if d := e.Decide(t.Context(), fresh); Check(&d, []string{"allow Shadowed", "shadow allow Allowed", "keeps dpop", "keeps authorization"}, true) != nil {
		t.Errorf("alone: got %+v, shadow %+v", d, d.Shadow)
	}
	enforced := trial.DeepCopy()
	enforced.Spec.Mode, enforced.Generation = v1alpha1.ModeEnforce, 2
	in.Policies = []*v1alpha1.AgentAuthPolicy{enforced}
	s, _ = e.Compile(in)
	e.Swap(s)
	if d := e.Decide(t.Context(), fresh); Check(&d, []string{"allow Allowed"}, true) != nil {
		t.Errorf("enforced: got %+v", d)
	}
}
