package find

import (
	"iter"
	"maps"
	"slices"

	"github.com/agentauth-dev/agentauth/authz/attach"
)

// attached are the routes of Gateway API and the policies that target them, by
// their numbers in the Snapshot. It never changes.
type attached struct {
	*attach.Attachments
	objects  attach.Objects
	tenancy  tenancy
	policies []attach.Policy
	numbers  []int       // of the policies
	indexes  map[int]int // of policies, by their numbers
}

// attach takes over the attachments if neither objects of Gateway API nor
// tenancy nor targets changed.
func (u *update) attach(objects attach.Objects) {
	a := &attached{tenancy: u.tenancy}
	for _, n := range u.order {
		p := u.policies[n]
		if len(p.TargetRefs) > 0 {
			a.policies = append(a.policies, attach.Policy{Namespace: p.Name.Namespace, Name: p.Name.Name, TargetRefs: p.TargetRefs, Precedence: p.Precedence})
			a.numbers = append(a.numbers, n)
		}
	}
	if old := u.prev.attached; old != nil && old.tenancy.same(u.tenancy) && slices.Equal(a.numbers, old.numbers) && slices.EqualFunc(a.policies, old.policies, sameTargets) && sameObjects(objects, old.objects) {
		u.attached = old
		return
	}
	a.objects = attach.Objects{HTTPRoutes: slices.Clone(objects.HTTPRoutes), GRPCRoutes: slices.Clone(objects.GRPCRoutes), Gateways: slices.Clone(objects.Gateways),
		ListenerSets: slices.Clone(objects.ListenerSets), Namespaces: slices.Clone(objects.Namespaces), Absent: objects.Absent}
	a.indexes = make(map[int]int, len(a.numbers))
	for i, n := range a.numbers {
		a.indexes[n] = i
	}
	a.Attachments = attach.New(objects, a.policies, u.tenancy.attach())
	u.attached = a
	if old := u.prev.attached; old != nil && old.tenancy.same(u.tenancy) && slices.Equal(a.numbers, old.numbers) && slices.EqualFunc(a.policies, old.policies, sameTargets) && sameGateways(objects, old.objects) {
		u.reattached, u.routesAlone = attach.ChangedHostnames(old.Attachments, a.Attachments)
		u.routesAlone = u.routesAlone && len(u.reattached) <= maxReattached
	}
}

// maxReattached is for how many hostnames it is worth while to look whom they
// touch.
const maxReattached = 64

func sameTargets(a, b attach.Policy) bool {
	return a.Namespace == b.Namespace && a.Name == b.Name && a.Precedence == b.Precedence && slices.Equal(a.TargetRefs, b.TargetRefs)
}

// sameObjects compares objects that no source ever changes.
func sameObjects(a, b attach.Objects) bool {
	return sameSet(a.HTTPRoutes, b.HTTPRoutes) && sameSet(a.GRPCRoutes, b.GRPCRoutes) && sameGateways(a, b)
}

func sameGateways(a, b attach.Objects) bool {
	return sameSet(a.Gateways, b.Gateways) && sameSet(a.ListenerSets, b.ListenerSets) && slices.Equal(a.Absent, b.Absent) && sameNamespaces(a.Namespaces, b.Namespaces)
}

// sameSet compares lists in any order.
func sameSet[T comparable](a, b []T) bool {
	if len(a) != len(b) || slices.Equal(a, b) {
		return len(a) == len(b)
	}
	in := make(map[T]bool, len(b))
	for _, v := range b {
		in[v] = true
	}
	return !slices.ContainsFunc(a, func(v T) bool { return !in[v] })
}

func sameNamespaces(a, b []attach.Namespace) bool {
	labels := make(map[string]map[string]string, len(b))
	for _, n := range b {
		labels[n.Name] = n.Labels
	}
	return len(a) == len(b) && !slices.ContainsFunc(a, func(n attach.Namespace) bool {
		was, known := labels[n.Name]
		return !known || !maps.Equal(was, n.Labels)
	})
}

// Holder is attach.Attachments.Holder; its policy is a number of the Snapshot.
func (a *attached) Holder(r attach.ServingRule) (attach.Holder, bool) {
	return a.numbered(a.Attachments.Holder(r))
}

// Fallback is attach.Attachments.Fallback likewise.
func (a *attached) Fallback(r attach.ServingRule) (attach.Holder, bool) {
	return a.numbered(a.Attachments.Fallback(r))
}

func (a *attached) numbered(h attach.Holder, ok bool) (attach.Holder, bool) {
	if ok {
		h.Policy = a.numbers[h.Policy]
	}
	return h, ok
}

// Status is the outcome of the targetRefs of a policy; nil if it has none.
func (a *attached) Status(number int) *attach.Status {
	if i, ok := a.indexes[number]; ok {
		return a.Attachments.Status(i)
	}
	return nil
}

// Hosts are the hostnames on which a policy decides by its targetRefs.
func (a *attached) Hosts(number int) iter.Seq[attach.HostUse] {
	if i, ok := a.indexes[number]; ok {
		return a.Attachments.Hosts(i)
	}
	return func(func(attach.HostUse) bool) {}
}

// Places is attach.Attachments.Places of a policy.
func (a *attached) Places(number, target int) iter.Seq[attach.Place] {
	return a.Attachments.Places(a.indexes[number], target)
}
