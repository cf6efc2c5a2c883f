package engine

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/authz/match"
)

// Snapshot is a compiled Input: everything a decision reads. It never changes,
// so a check that began with one ends with it.
type Snapshot struct {
	// policies are in order of age; an owner in index is a place in it, or
	// their number where two tenants dispute a host.
	policies []*policy
	byName   map[types.NamespacedName]*policy
	index    *match.Index
	// refused are routes on hosts that their tenant may not use. What they match
	// and no policy decides is not let through unmatched.
	refused *match.Index
	// attached is what Gateway API has to do with it; nil where it has no routes.
	attached *attachments
	// reserved are the header names that policies set, by hostname pattern.
	reserved map[string]*reservedHeaders

	// What the next compile may take over.
	memo memo
	// used are the pooled things this snapshot reads.
	used map[poolKey]*pooled
}
