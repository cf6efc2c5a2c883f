package crd

import (
	"context"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
)

// It is also what bounds the estimated cost of every rule.
func TestTheAPIServerAcceptsTheCRD(t *testing.T) {
	g := serverGate(t)
	crd := g.crd.DeepCopy()
	crd.Status.StoredVersions = []string{"v1alpha1"}
	for _, err := range validation.ValidateCustomResourceDefinition(context.Background(), crd) {
		t.Error(err)
	}
}
