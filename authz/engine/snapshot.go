package engine

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// Snapshot is a compiled Input: everything that a decision reads. It never
// changes, so a check ends with the snapshot that it began with.
type Snapshot struct {
	// policies are in order of age. A policy is known by its index here; byName
	// has the index.
	policies []*compiled
	byName   map[types.NamespacedName]int

	// attached are the routes of Gateway API and the policies that target them.
	attached *attach.Attachments
	// index has the `routes` of policies. Its owners are policies, or
	// len(policies) where two tenants dispute a host.
	index *match.Index
	// namespaceIndex has the `routes` of the policies of one namespace, for each
	// namespace that has routes of Gateway API.
	namespaceIndex map[string]*match.Index
	// refused has the `routes` for hosts that their tenant may not use. A request
	// that matches one of these is never let through unmatched.
	refused *match.Index
	// reserved are the reserved headers of each hostname pattern.
	reserved map[string][]policy.Reserved

	// memo is what the next compile may take over.
	memo memo
	// used are the pooled things that this snapshot reads.
	used map[poolKey]*pooled
}
