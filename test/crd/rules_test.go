package crd

import (
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// rule is an x-kubernetes-validations rule of the CRD.
type rule struct {
	path, message string
	// own is false for Gateway API's rules.
	own bool
}

func rulesOf(g *gate) []rule {
	var out []rule
	var walk func(path string, s *schema.Structural)
	walk = func(path string, s *schema.Structural) {
		for _, r := range s.XValidations {
			out = append(out, rule{path + r.FieldPath, r.Message, !strings.Contains(path, ".matches[]")})
		}
		for name, p := range s.Properties {
			walk(path+"."+name, &p)
		}
		if s.Items != nil {
			walk(path+"[]", s.Items)
		}
		if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
			walk(path+"{}", s.AdditionalProperties.Structural)
		}
	}
	walk("", g.structural)
	return out
}

// unreachable rules never get a say: the enumeration of the field refuses
// first, and then the API server looks at no rules.
var unreachable = map[string]bool{
	"type must be one of ['Exact', 'PathPrefix', 'RegularExpression']": true,
}

func TestEveryRuleOfTheCRDHasAFileThatBreaksIt(t *testing.T) {
	proven := map[string][]string{}
	for _, s := range invalidSamples(t, "", 1) {
		proven[s.message] = append(proven[s.message], s.path)
	}
	rules := rulesOf(serverGate(t))
	if len(rules) < 30 {
		t.Fatalf("expected the CRD's rules, got %d", len(rules))
	}
	for _, r := range rules {
		found := unreachable[r.message]
		for _, path := range proven[r.message] {
			found = found || general(path) == general(r.path)
		}
		if !found {
			t.Errorf("no file in testdata/invalid breaks %s: %s", r.path, r.message)
		}
	}
}

// general is a path without indices, however it is written.
func general(path string) string {
	var out []string
	for _, part := range strings.Split(flat(strings.TrimPrefix(path, ".")), ".") {
		if strings.Trim(part, "0123456789") != "" {
			out = append(out, part)
		}
	}
	return strings.Join(out, ".")
}
