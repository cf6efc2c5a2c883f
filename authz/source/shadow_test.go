package source_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

const trial = `apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: trial, namespace: shop}
spec:
  mode: Shadow
  routes: [{hostnames: [trial.example.com]}]
  authentication: {methods: [{name: keys, apiKey: {selector: {matchLabels: {team: orders}}}}]}
`

func TestAShadowedPolicyThatIsGoneLetsNobodyThroughAlthoughAnotherFileIsBroken(t *testing.T) {
	a := policy(open, "a")
	for name, c := range map[string]struct {
		files map[string]string
		want  authz.Outcome
	}{
		"it is gone":                        {map[string]string{"a.yaml": a, "x.yaml": brokenYAML}, authz.Deny},
		"it is enforced":                    {map[string]string{"a.yaml": a, "t.yaml": strings.Replace(trial, "Shadow", "Enforce", 1), "x.yaml": brokenYAML}, authz.Deny},
		"its mode is left out":              {map[string]string{"a.yaml": a, "t.yaml": strings.Replace(trial, "  mode: Shadow\n", "", 1), "x.yaml": brokenYAML}, authz.Deny},
		"it is there":                       {map[string]string{"a.yaml": a, "t.yaml": trial, "x.yaml": brokenYAML}, authz.Allow},
		"its own file is broken":            {map[string]string{"a.yaml": a, "t.yaml": brokenYAML}, authz.Allow},
		"it is there and the rest is sound": {map[string]string{"a.yaml": a, "t.yaml": trial}, authz.Allow},
	} {
		t.Run(name, func(t *testing.T) {
			k := keep(t)
			k.files(t, map[string]string{"a.yaml": a, "t.yaml": trial})
			k.decides(t, "trial.example.com", authz.Allow)
			k.files(t, c.files)
			k.decides(t, "trial.example.com", c.want)
			k.decides(t, "a.example.com", authz.Allow)
			k.files(t, map[string]string{"a.yaml": a, "t.yaml": trial})
			k.decides(t, "trial.example.com", authz.Allow)
		})
	}
}

func TestAPolicyThatBecomesShadowedTakesNothingAwayWhileAnotherFileIsBroken(t *testing.T) {
	k := keep(t)
	enforced := strings.Replace(policy(open, "a"), "spec:\n", "spec:\n  mode: Enforce\n", 1)
	k.files(t, map[string]string{"a.yaml": enforced})
	k.files(t, map[string]string{"a.yaml": strings.Replace(enforced, "Enforce", "Shadow", 1), "x.yaml": brokenYAML})
	k.decides(t, "a.example.com", authz.Allow)
	if d := k.Engine.Decide(t.Context(), authz.Raw{Host: "a.example.com", Method: "GET", Path: "/", Scheme: "https"}); d.Shadow != nil {
		t.Errorf("got %+v", d)
	}
}

// A pass that panics is not in force; whom a shadowed policy let through is refused.
func TestAShadowedPolicyThatIsEnforcedAgainLetsNobodyThroughAlthoughAPassPanics(t *testing.T) {
	for name, next := range map[string]string{"it is gone": "", "it is enforced": strings.Replace(trial, "Shadow", "Enforce", 1)} {
		t.Run(name, func(t *testing.T) {
			k := keep(t)
			before, _ := tree(t, policy(open, "a")+"---\n"+trial)
			after, _ := tree(t, policy(open, "a")+"---\n"+next)
			k.Cluster(t.Context(), before.Input)
			k.decides(t, "trial.example.com", authz.Allow)
			bad := after.Input
			bad.Policies = append(slices.Clone(bad.Policies), nil)
			if _, inForce := k.Cluster(t.Context(), bad); inForce {
				t.Fatal("expected a pass that panics")
			}
			k.decides(t, "trial.example.com", authz.Deny)
			k.decides(t, "a.example.com", authz.Allow)
		})
	}
}
