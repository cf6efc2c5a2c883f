package find

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// Policy is a compiled policy, as far as it says for which requests it is found.
// It never changes: a policy that was compiled anew has another pointer.
type Policy struct {
	Name types.NamespacedName
	// Stages decide the requests for which the policy is found.
	Stages *policy.Policy
	// Hostnames are those of its `routes`, and Entries their matches, without
	// their owner. Fields say where each entry was written, Patterns counts the
	// different regular expressions of the entries.
	Hostnames []string
	Entries   []match.Entry
	Fields    []string
	Patterns  int
	// Names are those of the headers that the policy sets.
	Names policy.Names
	// TargetRefs and Precedence are those of its spec.
	TargetRefs []v1alpha1.TargetReference
	Precedence v1alpha1.Precedence
	// Resource is its protected resource; nil if it has none.
	Resource *policy.Resource
	// Paths are the forms of a path that the policy admits.
	Paths authz.PathForms
	// Invalid policies answer 503 on their routes.
	Invalid bool
	// Shadow policies decide no request: what they would decide is recorded.
	Shadow bool
	// Over says which bound of its namespace the policy is over; "" is none. Update
	// sets it.
	Over string
}

// Listed is a policy in the list that a Snapshot is made of. Its age is not one of
// the things that it is compiled from.
type Listed struct {
	*Policy
	Created time.Time
}
