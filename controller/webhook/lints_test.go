package webhook

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

func TestAPolicyThatProbablyDoesNotMeanWhatItSaysIsAdmittedWithWarnings(t *testing.T) {
	text := strings.Replace(policy(public, `
  authorization:
    rules:
    - {name: a, when: 'request.method == "GET"', require: 'request.path.matches("^/admin")'}
    - {name: b, when: 'request.method in ["POST", "PUT"]', require: 'identities["nope"].subject == "x"'}
`), "hostnames: [orders.example.com]", "hostnames: [orders.example.com], matches: [{path: {type: RegularExpression, value: v1/.*}}]", 1)
	r := newAsked(engine.Options{}).answer(t, reviewOf(t, nil, text, ""))
	all := strings.Join(r.Warnings, "\n")
	for _, want := range []string{
		"spec.authorization.rules: RulesLeaveMethodsOpen: ", "spec.authorization.rules[0].require: PrefixWithoutSlash: 1:22: ",
		"spec.authorization.rules[1].require: UnknownMethodName: 1:12: ", "spec.routes[0].matches[0].path.value: NeverDecides: ",
	} {
		if !r.Allowed || !strings.Contains(all, want) {
			t.Errorf("expected %q, got %v and\n%s", want, r.Allowed, all)
		}
	}
}
