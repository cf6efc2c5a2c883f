package manifest

import (
	"fmt"
	"strings"
	"testing"
)

// ruled is a policy whose line 12 is given.
func ruled(line string) string {
	return "apiVersion: agentauth.dev/v1alpha1\nkind: AgentAuthPolicy\nmetadata: {name: a}\nspec:\n  routes: [{hostnames: [a.example.com]}]\n" +
		"  authentication: {methods: [{name: a, anonymous: {}}]}\n  authorization:\n    rules:\n    # line 9\n    - name: a\n      when: 'true'\n" + line +
		"\n    - name: b\n      require: 'true'\n"
}

func TestTheMistakesAroundExpressionsAreToldAtTheirLineWithTheCure(t *testing.T) {
	const quote = "the value begins with a quote, so it ends at the next one, and more comes; put the whole value in single quotes"
	for line, want := range map[string]string{
		`      require: "w" in identity.scopes`:                           quote,
		`      require: 'w' in identity.scopes`:                           quote,
		`      require: "GET" == request.method # it's: so`:               quote,
		`      require: "GET" == request.method ? true : false`:           quote,
		`      require: "a" + "b: c" == x`:                                quote,
		`      require: "\"" in identity.scopes`:                          quote,
		`      "require": "w" in identity.scopes`:                         quote,
		`      - "w" in identity.scopes`:                                  quote,
		`      require: "x"y`:                                             quote,
		`      require: 'it's'`:                                           "write a single quote in single quotes twice",
		`      require: @x`:                                               `a character no value can start with, "@"; put the whole value in single quotes`,
		"      require: `x`":                                              "a character no value can start with, \"`\"",
		`      require: %x`:                                               `a character no value can start with, "%"`,
		`      require: !("w" in identity.scopes)`:                        `"!" at the start of a value is a tag in YAML; put the whole value in single quotes`,
		`      require: !has(identity.claims.a) && true`:                  `"!" at the start of a value is a tag in YAML`,
		`      require: !identity.authenticated`:                          `if the "!" is of an expression, put the whole value in single quotes`,
		`      require: && x`:                                             `"&" at the start of a value is an anchor in YAML`,
		`      require: &x`:                                               `"&" at the start of a value is an anchor in YAML`,
		`      require: *x`:                                               `put a value that starts with "*" in single quotes`,
		`      require: * x`:                                              `"*" at the start of a value is an alias in YAML`,
		`      require: *.example.com`:                                    `"*" at the start of a value is an alias in YAML`,
		`      require: | x`:                                              `"|" at the start of a value begins a block`,
		`      require: > 3`:                                              `">" at the start of a value begins a block`,
		`      require: ? x`:                                              `"?" at the start of a value is a key in YAML`,
		`      require: [1, 2].exists(x, x == 1)`:                         "the value begins with a bracket, so it ends where that is closed",
		`      require: {"a": 1}["a"] == 1`:                               "the value begins with a bracket, so it ends where that is closed",
		`      require: [*.example.com]`:                                  `a value in brackets starts with "*"`,
		`      require: ["a", @b]`:                                        `a value in brackets starts with "@"`,
		`      require: a ? b : c`:                                        `a ": " comes where no value can begin`,
		`      require:x`:                                                 `a space is missing after ":"; write "key: value"`,
		"\t  require: x":                                                  "the line is indented with a tab",
		"    \trequire: x":                                                "the line is indented with a tab",
		`     require: x`:                                                 "this line is neither a key of a mapping nor an item of a list above it",
		`   require: x`:                                                   "this line is neither a key of a mapping nor an item of a list above it",
		`       require: x`:                                               "this line is neither a key of a mapping nor an item of a list above it",
		`      require: "w" in identity.scopes || "x" in identity.scopes`: quote,
	} {
		t.Run(line, func(t *testing.T) {
			tree, problems := parsed("f.yaml", ruled(line))
			wantProblem(t, tree, problems, "f.yaml:12:", want)
		})
	}
}

func TestAMistakeInASecondDocumentOrBlockIsToldAtItsLine(t *testing.T) {
	first := ruled(`      require: "in a block" || x`)
	first = strings.Replace(first, `require: `, "require: >-\n        ", 1)
	tree, problems := parsed("f.yaml", first+"---\n"+ruled(`      require: "w" in identity.scopes`))
	wantProblem(t, tree, problems, fmt.Sprintf("f.yaml:%d:", strings.Count(first, "\n")+1+12), "the value begins with a quote")
}

func TestAHintHoldsNothingOfTheFile(t *testing.T) {
	for _, value := range []string{`"a" hunter2`, `'a' hunter2`, `[a] hunter2`, `!hunter2(`, `&&hunter2`, `@hunter2`, `| hunter2`, `hunter2: hunter2`} {
		tree, problems := parsed("f.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  first: "+value+"\n")
		if tree != nil || strings.Contains(text(problems), "hunter2") {
			t.Errorf("%s: %s", value, text(problems))
		}
	}
}

func TestADurationIsNoNumber(t *testing.T) {
	for value, came := range map[string]string{"30": "the number 30", "0": "the number 0", "1.5": "the number 1.5", "true": "the boolean true", "[30s]": "a list"} {
		tree, problems := parsed("f.yaml", strings.Replace(policyText, "apiKey: {selector: {matchLabels: {team: orders}}}",
			"jwt: {issuer: https://a, audiences: [a], jwks: {}, clockSkew: "+value+"}", 1))
		wantProblem(t, tree, problems, "clockSkew: expected a duration such as 30s, came "+came+"\n")
	}
}

func TestASpaceThatIsMissingAfterAColonIsSeenWhereAMappingIsExpected(t *testing.T) {
	tree, problems := parsed("f.yaml", strings.Replace(policyText, "metadata: {name: orders, namespace: shop}", "metadata:\n  name:orders", 1))
	if tree != nil || !strings.Contains(text(problems), `metadata: expected a mapping, came a string; is a space missing after ":"?`) {
		t.Error(text(problems))
	}
}
