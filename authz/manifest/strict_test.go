package manifest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

const specText = `{"routes":[{"hostnames":["a.example.com"]}],"authentication":{"methods":[{"name":"public","anonymous":{}}]}`

func TestASpecOfAnAPIServerIsReadWhole(t *testing.T) {
	var spec v1alpha1.PolicySpec
	// An API server may keep null for a field that is left out.
	problems := Spec([]byte(specText+`,"authorization":null}`), &spec)
	if len(problems) != 0 || len(spec.Unread) != 0 || len(spec.Routes) != 1 || spec.Authentication.Methods[0].Name != "public" {
		t.Errorf("got %+v and\n%s", spec, text(problems))
	}
}

func TestWhatOfASpecIsNotReadIsToldAndMakesItInvalid(t *testing.T) {
	for name, c := range map[string]struct{ more, unread, want string }{
		"unknown":              {`,"quota":{"perMinute":5}}`, "spec.quota", `: spec: unknown field "quota"; known are authentication, `},
		"nearly known":         {`,"respons":{}}`, "spec.respons", `: spec: unknown field "respons"; did you mean "response"?`},
		"in another case":      {`,"Response":{}}`, "spec.Response", `did you mean "response"?`},
		"unknown deep inside":  {`,"authorization":{"rules":[{"name":"a","require":"true","unless":"x"}]}}`, "spec.authorization.rules[0].unless", `: spec.authorization.rules[0]: unknown field "unless"; known are `},
		"of another type":      {`,"targetRefs":[{"name":5}]}`, "spec.targetRefs[0].name", `: spec.targetRefs[0].name: expected a string, came the number 5`},
		"a fraction":           {`,"targetRefs":[{"name":0.5}]}`, "spec.targetRefs[0].name", `: spec.targetRefs[0].name: expected a string, came the number 0.5`},
		"twice":                {`,"precedence":"Default","precedence":"Default"}`, "spec", `: spec: the key "precedence" comes twice`},
		"all of these":         {`,"quota":1,"precedence":{},"x":2}`, "spec.quota spec.precedence spec.x", `: spec.precedence: expected a string, came a mapping`},
		"too large to explain": {`,"quota":"` + strings.Repeat("x", maxExplained) + `"}`, "spec", `: spec: unknown field "quota"`},
		"too deep to explain":  {`,"quota":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "spec", `: spec: unknown field "quota"`},
	} {
		t.Run(name, func(t *testing.T) {
			var spec v1alpha1.PolicySpec
			problems := Spec([]byte(specText+c.more), &spec)
			if got := text(problems); !strings.Contains(got, c.want) {
				t.Errorf("expected %q, got\n%s", c.want, got)
			}
			if got := strings.Join(spec.Unread, " "); got != c.unread {
				t.Errorf("expected %s, got %s", c.unread, got)
			}
			if len(spec.Routes) != 1 || len(spec.Authentication.Methods) != 1 {
				t.Errorf("expected the rest to be read, got %+v", spec)
			}
		})
	}
}

func TestWhatIsToldOfASpecIsBounded(t *testing.T) {
	var more []string
	for i := range 10_000 {
		more = append(more, fmt.Sprintf(`,"x%d":1`, i))
	}
	var spec v1alpha1.PolicySpec
	if problems := Spec([]byte(specText+strings.Join(more, "")+"}"), &spec); len(problems) != maxProblems || len(spec.Unread) != maxProblems {
		t.Errorf("got %d problems and %d paths", len(problems), len(spec.Unread))
	}
}

// Whatever sigs.k8s.io/json does not read whole makes the policy invalid.
func FuzzSpec(f *testing.F) {
	for _, more := range []string{"}", `,"quota":1}`, `,"precedence":{}}`, `,"precedence":null,"precedence":1}`, ""} {
		f.Add([]byte(specText + more))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var spec v1alpha1.PolicySpec
		problems := Spec(data, &spec)
		if (len(problems) == 0) != (len(spec.Unread) == 0) {
			t.Errorf("%d problems and %d paths", len(problems), len(spec.Unread))
		}
		for i, p := range problems {
			if !p.Severity.Fatal() || p.Message == "" || !strings.HasPrefix(p.Field, "spec") || slices.Contains(spec.Unread, "") {
				t.Errorf("problem %d says nothing: %+v", i, p)
			}
		}
	})
}
