package find

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// Policy is a compiled policy, as far as it says for which requests it is found.
// It never changes: a policy that was compiled anew has another pointer.
type Policy struct {
	Name types.NamespacedName
	// Stages decide the requests for which the policy is found.
	Stages *policy.Policy
	// Hostnames are those of its `routes`, and Entries their matches. Patterns counts
	// the different regular expressions of the entries.
	Hostnames []string
	Entries   []Entry
	Patterns  int32
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

// Names are those of the headers that the policy sets.
func (p *Policy) Names() policy.Names { return p.Stages.Names() }

// Entry is a hostname of a policy and a match there, which its source has: nobody
// changes it.
type Entry struct {
	Hostname string
	Match    *gatewayv1.HTTPRouteMatch
	// Route and Number say where the match is written.
	Route, Number int32
}

// Everything is the match of an entry that has its whole hostname.
var Everything = &gatewayv1.HTTPRouteMatch{}

// Field says where an entry is written.
func (e *Entry) Field() string {
	return fmt.Sprintf("spec.routes[%d].matches[%d] on host %s", e.Route, e.Number, e.Hostname)
}

// Listed is a policy in the list that a Snapshot is made of. Its age is not one of
// the things that it is compiled from.
type Listed struct {
	*Policy
	Created time.Time
}
