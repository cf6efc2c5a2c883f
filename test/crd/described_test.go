package crd

import (
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// `kubectl explain` prints the descriptions of the CRD, and of nothing else.
func TestEveryFieldIsDescribed(t *testing.T) {
	fields := 0
	var walk func(path string, s *schema.Structural)
	walk = func(path string, s *schema.Structural) {
		for name, p := range s.Properties {
			fields++
			if p.Description == "" && path+"."+name != ".metadata" { // which Kubernetes describes
				t.Errorf("%s.%s: expected a description for kubectl explain", path, name)
			}
			walk(path+"."+name, &p)
		}
		if s.Items != nil {
			walk(path+"[]", s.Items)
		}
		if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
			walk(path+"{}", s.AdditionalProperties.Structural)
		}
	}
	walk("", serverGate(t).structural)
	if fields < 100 {
		t.Errorf("expected the CRD's fields, found %d", fields)
	}
}
