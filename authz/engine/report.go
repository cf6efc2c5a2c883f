package engine

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Report is what compiling found out about one policy, or about a Secret or
// ConfigMap that policies use.
type Report struct {
	Policy     types.NamespacedName
	Generation int64
	// Conditions are Accepted, ResolvedRefs and Programmed.
	Conditions []metav1.Condition
	// Problems say the same for people, one each.
	Problems []Problem
}

// Severity says what a problem means for what is in force.
type Severity string

const (
	// Invalid: the policy is not in force; its routes answer 503.
	Invalid Severity = "invalid"
	// Unresolved: a method answers 503 until the reference resolves.
	Unresolved Severity = "unresolved"
	// Warning: part of what was written is not in force, the rest is.
	Warning Severity = "warning"
)

// Problem is one thing that is wrong.
type Problem struct {
	Severity Severity
	// Field is the path of the field, as in "spec.routes[0].hostnames[1]"; ""
	// where no field of the policy is to blame.
	Field string
	// Message says what was expected, what came and what to do. It never holds
	// the content of a Secret.
	Message string
	// Object is "Secret namespace/name" or "ConfigMap namespace/name" where
	// the problem is in an object the policy refers to, and Key the entry.
	Object, Key string
}
