package webhook

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

func TestAShadowedPolicyThatWouldOpenItsRoutesIsWarnedOf(t *testing.T) {
	shadowed := policy(public, "  mode: Shadow")
	for name, c := range map[string]struct {
		judge Judge
		text  string
		warns bool
	}{
		"a policy of the namespace decides beside it":     {Judge{Beside: inForce(t).Beside}, shadowed, false},
		"no policy has the host":                          {Judge{Beside: inForce(t).Beside}, strings.Replace(shadowed, "orders.example.com", "orders.example.net", 1), true},
		"the policy of the host is the one that is tried": {Judge{Beside: inForce(t).Beside}, strings.Replace(strings.Replace(shadowed, "[orders.example.com]", `["*.example.com"]`, 1), "name: orders", "name: wide", 1), true},
		"another namespace's policy is told nothing of":   {Judge{Beside: inForce(t).Beside}, strings.Replace(shadowed, "orders.example.com", "orders.bank.test", 1), true},
		"nothing is in force":                             {Judge{Beside: engine.New(engine.Deps{}, engine.Options{}).Beside}, shadowed, true},
		"nobody knows what is in force":                   {Judge{}, shadowed, true},
		"it is enforced":                                  {Judge{}, policy(public, "  mode: Enforce"), false},
	} {
		r := askedOf(c.judge).answer(t, reviewOf(t, nil, c.text, ""))
		if told := len(r.Warnings) == 1 && strings.Contains(r.Warnings[0], "ShadowedAlone"); !r.Allowed || told != c.warns || len(r.Warnings) > 1 {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}
