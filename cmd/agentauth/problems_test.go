package main

import (
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestAProblemIsOneLineWithWhatIsKnownOfIt(t *testing.T) {
	all := authz.Problem{
		Severity: authz.Unresolved, Position: authz.Position{File: "p.yaml", Line: 3}, Object: "AgentAuthPolicy shop/a",
		Field: "spec.x", Ref: "Secret shop/keys", Key: "k", Message: "not found",
	}
	nothing := authz.Problem{Severity: authz.Invalid, Message: "a defect"}
	for want, got := range map[string]string{
		"p.yaml:3: AgentAuthPolicy shop/a: spec.x: Secret shop/keys, entry k: not found": problemLine(all),
		"p.yaml: warning: cannot be read":                                                problemLine(authz.Problem{Severity: authz.Warning, Position: authz.Position{File: "p.yaml"}, Message: "cannot be read"}),
		"a defect":                                                                       problemLine(nothing),
		"AgentAuthPolicy shop/a: unresolved: spec.x (Secret shop/keys, entry k): not found": statusLine(all),
		"invalid: a defect": statusLine(nothing),
	} {
		if got != want {
			t.Errorf("expected %q, got %q", want, got)
		}
	}
}
