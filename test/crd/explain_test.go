package crd

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
)

// What `kubectl explain` says of a field is its description.
func TestEveryFieldIsExplained(t *testing.T) {
	n := 0
	var walk func(at string, s *apiextensions.JSONSchemaProps)
	walk = func(at string, s *apiextensions.JSONSchemaProps) {
		for name, p := range s.Properties {
			here := at + "." + name
			if n++; len(strings.Fields(p.Description)) < 3 {
				t.Errorf("%s: expected a description, got %q", here, p.Description)
			}
			walk(here, &p)
		}
		if s.Items != nil {
			walk(at+"[]", s.Items.Schema)
		}
		if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
			walk(at+".*", s.AdditionalProperties.Schema)
		}
	}
	root := serverGate(t).crd.Spec.Validation.OpenAPIV3Schema
	if root.Description == "" {
		t.Error("the kind has no description")
	}
	root.Properties["metadata"] = apiextensions.JSONSchemaProps{Description: "the API server's own, explained there"}
	walk("", root)
	if n < 100 {
		t.Errorf("expected at least 100 fields, found %d", n)
	}
}

func TestKubectlShowsWhatIsInForce(t *testing.T) {
	crd := serverGate(t).crd
	if names := crd.Spec.Names; !slices.Equal(names.ShortNames, []string{"aap"}) || !slices.Equal(names.Categories, []string{"agentauth"}) {
		t.Errorf("got %+v", names)
	}
	var got []string
	for _, c := range crd.Spec.AdditionalPrinterColumns {
		wide := ""
		if c.Priority > 0 {
			wide = " (-o wide)"
		}
		got = append(got, c.Name+" "+c.JSONPath+wide)
	}
	want := []string{
		`Ready .status.conditions[?(@.type=="Ready")].status`,
		`Accepted .status.conditions[?(@.type=="Accepted")].status (-o wide)`,
		`Resolved .status.conditions[?(@.type=="ResolvedRefs")].status (-o wide)`,
		`Programmed .status.conditions[?(@.type=="Programmed")].status (-o wide)`,
		`Reason .status.conditions[?(@.type=="Ready")].reason`,
		"Mode .spec.mode",
		"Hosts .spec.routes[0].hostnames",
		"Targets .spec.targetRefs[0].name",
		`Message .status.conditions[?(@.type=="Ready")].message`,
		"Age .metadata.creationTimestamp",
	}
	if !slices.Equal(got, want) {
		t.Errorf("expected\n%s\ngot\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}
