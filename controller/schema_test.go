package controller

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func builtFor(t *testing.T) *crdv1.CustomResourceDefinition {
	t.Helper()
	s, err := newSchemas(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.own.DeepCopy()
}

// spec is the schema of the spec of a CRD.
func spec(of *crdv1.CustomResourceDefinition) crdv1.JSONSchemaProps {
	return of.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
}

// The API server stores CRDs in another form and fills in defaults; what it
// serves has the digest of what was applied.
func TestTheDigestOfWhatAnAPIServerMakesOfTheCRDIsThatOfTheCRD(t *testing.T) {
	own := builtFor(t)
	scheme := runtime.NewScheme()
	install.Install(scheme)
	served := own.DeepCopy()
	scheme.Default(served)
	internal := &apiextensions.CustomResourceDefinition{}
	if err := scheme.Convert(served, internal, nil); err != nil {
		t.Fatal(err)
	}
	served = &crdv1.CustomResourceDefinition{}
	if err := scheme.Convert(internal, served, nil); err != nil {
		t.Fatal(err)
	}
	if s := compare(own, slimCRD(served).CustomResourceDefinition); !s.Matches() || s.Dropped != nil || s.Unknown != nil {
		t.Errorf("got %s", s)
	}
}

func TestWhatTheAPIServerDoesWithPoliciesIsInTheDigestAndWhatPeopleReadIsNot(t *testing.T) {
	own := builtFor(t)
	for name, c := range map[string]struct {
		change func(*crdv1.CustomResourceDefinition)
		same   bool
	}{
		"a description": {func(c *crdv1.CustomResourceDefinition) {
			s := spec(c)
			s.Description = "another"
			routes := s.Properties["routes"]
			routes.Items.Schema.Description = ""
			c.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"] = s
		}, true},
		"a column":      {func(c *crdv1.CustomResourceDefinition) { c.Spec.Versions[0].AdditionalPrinterColumns = nil }, true},
		"an annotation": {func(c *crdv1.CustomResourceDefinition) { c.Annotations = map[string]string{"a": "b"} }, true},
		"a field":       {func(c *crdv1.CustomResourceDefinition) { delete(spec(c).Properties, "response") }, false},
		"a default": {func(c *crdv1.CustomResourceDefinition) {
			edit(c, "authentication", func(p *crdv1.JSONSchemaProps) {
				method := p.Properties["methods"].Items.Schema.Properties
				requirement := method["requirement"]
				requirement.Default = nil
				method["requirement"] = requirement
			})
		}, false},
		"an enum": {func(c *crdv1.CustomResourceDefinition) {
			edit(c, "precedence", func(p *crdv1.JSONSchemaProps) { p.Enum = nil })
		}, false},
		"a bound": {func(c *crdv1.CustomResourceDefinition) {
			edit(c, "routes", func(p *crdv1.JSONSchemaProps) { p.MaxItems = nil })
		}, false},
		"a version not served": {func(c *crdv1.CustomResourceDefinition) { c.Spec.Versions[0].Served = false }, false},
		"no schema":            {func(c *crdv1.CustomResourceDefinition) { c.Spec.Versions[0].Schema = nil }, false},
		"no version at all":    {func(c *crdv1.CustomResourceDefinition) { c.Spec.Versions = nil }, false},
		"a version that is beside": {func(c *crdv1.CustomResourceDefinition) {
			c.Spec.Versions = append(c.Spec.Versions, crdv1.CustomResourceDefinitionVersion{Name: "v2"})
		}, false},
	} {
		other := own.DeepCopy()
		c.change(other)
		if got := compare(own, other).Matches(); got != c.same {
			t.Errorf("%s: expected the same digest: %t", name, c.same)
		}
	}
	if compare(own, nil).Matches() || (Schema{}).Matches() {
		t.Error("no CRD is as expected")
	}
}

func edit(c *crdv1.CustomResourceDefinition, property string, change func(*crdv1.JSONSchemaProps)) {
	p := spec(c).Properties[property]
	change(&p)
	spec(c).Properties[property] = p
}

func TestFieldsThatTheAPIServerTakesOutAreNamedOutermostFirst(t *testing.T) {
	own, older := builtFor(t), builtFor(t)
	delete(spec(older).Properties, "authorization")
	methods := spec(older).Properties["authentication"].Properties["methods"]
	delete(methods.Items.Schema.Properties["jwt"].Properties, "audiences")
	lacking := []string{"spec.authentication.methods[].jwt.audiences", "spec.authorization"}

	s := compare(own, older)
	if !slices.Equal(s.Dropped, lacking) || s.Unknown != nil {
		t.Errorf("an older CRD: expected %q, got %+v", lacking, s)
	}
	if text := s.String(); !strings.Contains(text, "takes these fields out of policies") || !strings.Contains(text, lacking[0]) {
		t.Errorf("got %s", text)
	}
	s = compare(older, own)
	if !slices.Equal(s.Unknown, lacking) || s.Dropped != nil {
		t.Errorf("a newer CRD: expected %q, got %+v", lacking, s)
	}
	if text := s.String(); !strings.Contains(text, "are refused here") {
		t.Errorf("got %s", text)
	}

	anything := builtFor(t)
	keep := true
	anything.Spec.Versions[0].Schema.OpenAPIV3Schema = &crdv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &keep}
	if s := compare(own, anything); s.Matches() || s.Dropped != nil {
		t.Errorf("a CRD that keeps whatever comes takes nothing out, got %+v", s)
	}
	empty := builtFor(t)
	empty.Spec.Versions[0].Schema.OpenAPIV3Schema = &crdv1.JSONSchemaProps{Type: "object"}
	if s := compare(own, empty); !slices.Contains(s.Dropped, "spec") {
		t.Errorf("expected all of spec, got %+v", s)
	}
}

func TestEachChangeOfTheCRDIsToldOnce(t *testing.T) {
	var told []bool
	s, err := newSchemas(func(s Schema) { told = append(told, s.Matches()) })
	if err != nil {
		t.Fatal(err)
	}
	own, older := slimCRD(s.own).CustomResourceDefinition, builtFor(t)
	delete(spec(older).Properties, "response")
	for i, step := range []struct {
		installed *crdv1.CustomResourceDefinition
		changed   bool // and so policies were read by another CRD
	}{{nil, false}, {own, false}, {own.DeepCopy(), false}, {older, true}, {older, false}, {nil, true}, {own, true}} {
		if changed := s.see(step.installed); changed != step.changed {
			t.Errorf("step %d: expected policies to be read again: %t", i, step.changed)
		}
	}
	if want := []bool{true, false, false, true}; !slices.Equal(told, want) {
		t.Errorf("expected %v, got %v", want, told)
	}
}
