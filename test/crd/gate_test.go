// Package crd holds the CRD to what the API server makes of it, with the API
// server's own packages, and to what package engine makes of the same
// policies: two gates, one truth.
package crd

import (
	"bytes"
	"context"
	"os"
	"slices"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/json"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

const crdFile = "../../config/crd/agentauth.dev_agentauthpolicies.yaml"

// gate does with a policy what the API server does when one is created.
type gate struct {
	crd        *apiextensions.CustomResourceDefinition
	structural *schema.Structural
	schema     validation.SchemaValidator
	cel        *cel.Validator
}

// theGate is made once: compiling the rules takes a second.
var theGate = sync.OnceValues(newGate)

func serverGate(t testing.TB) *gate {
	t.Helper()
	g, err := theGate()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func newGate() (*gate, error) {
	data, err := os.ReadFile(crdFile)
	if err != nil {
		return nil, err
	}
	raw, err := asJSON(data)
	if err != nil {
		return nil, err
	}
	versioned := &crdv1.CustomResourceDefinition{}
	if err := json.UnmarshalCaseSensitivePreserveInts(raw, versioned); err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	install.Install(scheme)
	scheme.Default(versioned)
	g := &gate{crd: &apiextensions.CustomResourceDefinition{}}
	if err := scheme.Convert(versioned, g.crd, nil); err != nil {
		return nil, err
	}
	// In this form the one version's schema is on top.
	props := g.crd.Spec.Validation.OpenAPIV3Schema
	if g.structural, err = schema.NewStructural(props); err != nil {
		return nil, err
	}
	if g.schema, _, err = validation.NewSchemaValidator(props); err != nil {
		return nil, err
	}
	g.cel = cel.NewValidator(g.structural, true, celconfig.PerCallLimit)
	return g, nil
}

// create defaults and validates as a POST does. Unknown are the paths that
// fieldValidation=Strict refuses.
func (g *gate) create(obj map[string]any) (unknown []string, errs field.ErrorList) {
	unknown = pruning.PruneWithOptions(obj, g.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	g.fill(obj)
	var meta metav1.ObjectMeta
	if m, ok := obj["metadata"].(map[string]any); ok {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(m, &meta); err != nil {
			return unknown, field.ErrorList{field.Invalid(field.NewPath("metadata"), field.OmitValueType{}, err.Error())}
		}
	}
	errs = metavalidation.ValidateObjectMeta(&meta, true, metavalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	errs = append(errs, validation.ValidateCustomResource(nil, obj, g.schema)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, g.structural, obj)...)
	if slices.ContainsFunc(errs, blocksRules) {
		return unknown, errs
	}
	more, _ := g.cel.Validate(context.Background(), nil, g.structural, obj, nil, celconfig.RuntimeCELCostBudget)
	return unknown, append(errs, more...)
}

// fill applies defaults, and the namespace that a request without one is for.
func (g *gate) fill(obj map[string]any) {
	defaulting.PruneNonNullableNullsWithoutDefaults(obj, g.structural)
	defaulting.Default(obj, g.structural)
	if meta, ok := obj["metadata"].(map[string]any); ok && meta["namespace"] == nil {
		meta["namespace"] = "default"
	}
}

// blocksRules says whether the API server looks at CEL rules beside this
// error: where a value is too long or of the wrong type it does not.
func blocksRules(err *field.Error) bool {
	switch err.Type {
	case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong,
		field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
		return true
	default:
		return false
	}
}

func asJSON(data []byte) ([]byte, error) {
	var v any
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&v); err != nil {
		return nil, err
	}
	return utiljson.Marshal(v)
}

// decode reads a manifest in both forms. Strict are the errors of a strict
// reading of it as the Go type.
func decode(t testing.TB, data []byte) (obj map[string]any, policy *v1alpha1.AgentAuthPolicy, strict []error) {
	t.Helper()
	raw, err := asJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	obj = map[string]any{}
	if err := utiljson.Unmarshal(raw, &obj); err != nil {
		t.Fatal(err)
	}
	policy = &v1alpha1.AgentAuthPolicy{}
	strict, err = json.UnmarshalStrict(raw, policy)
	if err != nil {
		strict = append(strict, err)
	}
	return obj, policy, strict
}

// toObject is the policy as a client of the API server sends it.
func toObject(t testing.TB, p *v1alpha1.AgentAuthPolicy) map[string]any {
	t.Helper()
	raw, err := utiljson.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	obj := map[string]any{}
	if err := utiljson.Unmarshal(raw, &obj); err != nil {
		t.Fatal(err)
	}
	delete(obj, "status")
	return obj
}

func fromObject(t testing.TB, obj map[string]any) *v1alpha1.AgentAuthPolicy {
	t.Helper()
	raw, err := utiljson.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	p := &v1alpha1.AgentAuthPolicy{}
	if err := json.UnmarshalCaseSensitivePreserveInts(raw, p); err != nil {
		t.Fatal(err)
	}
	return p
}
