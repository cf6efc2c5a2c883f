package find

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// Snapshot is everything that finding the policy of a request reads. It never
// changes.
type Snapshot struct {
	options Options
	// policies are by number, by which a policy is known here, and nil where no
	// policy has the number. The next snapshot has the same number for a policy of
	// the same name. byName has the numbers, order has them by age.
	policies []*Policy
	created  []time.Time // of each policy
	byName   map[types.NamespacedName]int
	order    []int
	// listed has the numbers in the order of the list that the Snapshot was made of.
	listed []int

	// attached are the routes of Gateway API and the policies that target them;
	// hasRoutes says that there are routes.
	attached  *attached
	hasRoutes bool
	// index has the `routes` of policies. Its owners are policies, or
	// disputedOwner where two tenants dispute a host.
	index *match.Index
	// namespaceIndex has the `routes` of the policies of one namespace, for each
	// namespace that has routes of Gateway API.
	namespaceIndex map[string]*match.Index
	// refused has the `routes` for hosts that Gateway API routes of another
	// namespace have. A request that matches one of these is never let through
	// unmatched. What was not granted is not here.
	refused *match.Index
	// reserved are the reserved headers.
	reserved reserved
	// closed: no request is let through unmatched.
	closed bool
	// problems are those of no policy.
	problems []authz.Problem

	// tenancy is what keeps the tenants apart.
	tenancy tenancy
	// verdicts are those on hostnames; placed are the policies in the indexes, and
	// programmed says what they decide (nil: invalid), by number.
	verdicts   map[tenantHost]verdict
	disputes   map[string]string // see noteDisputes
	placed     []*placed
	programmed []*Programmed
	// metadata are the answers to requests for the metadata of resources.
	metadata metadata
	// hides are the warnings of Hides, by number.
	hides [][]authz.Problem
	// over are the policies that are over a bound of their namespace, and what is
	// in force of each instead.
	over map[*Policy]*Policy

	// trial is the Snapshot in which shadowed policies are in force; nil if there are
	// none. A policy has the same number in both. all has the numbers of all policies
	// by age.
	trial *Snapshot
	all   []int
}

// Problems are what is wrong with the objects by which the operator keeps tenants
// apart.
func (s *Snapshot) Problems() []authz.Problem { return s.problems }

// Order has the numbers of the policies, those of the older first.
func (s *Snapshot) Order() []int {
	if s.trial != nil {
		return s.all
	}
	return s.order
}

// of is the Snapshot that says what a policy decides, or would decide.
func (s *Snapshot) of(n int) *Snapshot {
	if s != nil && s.trial != nil && s.trial.policies[n] != nil && s.trial.policies[n].Shadow {
		return s.trial
	}
	return s
}

// Policy is the policy in force of a number; nil if there is none. It is not the
// one that was listed if that is over a bound of its namespace.
func (s *Snapshot) Policy(n int) *Policy {
	if s == nil || n >= len(s.policies) {
		return nil
	}
	return s.of(n).policies[n]
}

// Number is that of the policy of a name.
func (s *Snapshot) Number(name types.NamespacedName) (n int, known bool) {
	switch {
	case s == nil:
		return 0, false
	case s.trial != nil:
		s = s.trial // has all of them
	}
	n, known = s.byName[name]
	return n, known
}

// NumberAt is that of the policy at a place of the list.
func (s *Snapshot) NumberAt(at int) (n int, known bool) {
	if s == nil || at >= len(s.listed) {
		return 0, false
	}
	return s.listed[at], true
}

// Status is the outcome of the targetRefs of a policy; nil if it has none.
func (s *Snapshot) Status(n int) *attach.Status { return s.of(n).attached.Status(n) }

// Programmed says what a policy decides; nil if the policy is invalid.
func (s *Snapshot) Programmed(n int) *Programmed { return s.of(n).programmed[n] }

// Same says whether a policy, its conflicts, its status and what it decides are
// what they were in an earlier snapshot.
func (s *Snapshot) Same(prev *Snapshot, n int) bool {
	if prev != nil && n < len(prev.placed) {
		s, prev = s.of(n), prev.of(n) // a policy whose mode changed was placed anew
	}
	return prev != nil && n < len(prev.placed) && prev.placed[n] == s.placed[n] &&
		(prev.attached == s.attached || s.Status(n).Same(prev.Status(n))) && s.programmed[n].same(prev.programmed[n]) && slices.Equal(s.hides[n], prev.hides[n]) &&
		slices.Equal(s.Unreachable(n), prev.Unreachable(n))
}

// Reserved are the reserved headers of hostname patterns: those that namespaces
// reserve on hosts that they may use, and all.
func (s *Snapshot) Reserved() (permitted, all map[string][]*policy.Reserved) {
	return s.reserved.permitted, s.reserved.all
}

// Namespaces counts the namespaces that have an index of their own.
func (s *Snapshot) Namespaces() int { return len(s.namespaceIndex) }
