package attach

import (
	"maps"
	"slices"
)

// ChangedHostnames are the hostnames of the routes that differ between two
// Attachments of the same policies, Gateways, ListenerSets and Namespaces: on no
// other host is a request served otherwise. It is false if that may be: a
// GRPCRoute may keep an HTTPRoute off a listener, with all its hostnames.
func ChangedHostnames(before, now *Attachments) (map[string]bool, bool) {
	if slices.ContainsFunc(before.routes, (*route).grpc) || slices.ContainsFunc(now.routes, (*route).grpc) {
		return nil, false
	}
	out := map[string]bool{}
	note := func(r *route) {
		for _, at := range r.attached {
			for _, h := range at.hostnames {
				out[h] = true
			}
		}
		for _, h := range r.ownHostnames() {
			out[h] = true
		}
	}
	for key, r := range now.byKey {
		old := before.byKey[key]
		switch {
		case old == nil:
			note(r)
		case old.source != r.source:
			note(old)
			note(r)
		case old.over != r.over:
			return nil, false
		}
	}
	for key, r := range before.byKey {
		if now.byKey[key] == nil {
			note(r)
		}
	}
	return out, true
}

// Same says whether two Statuses say the same.
func (st *Status) Same(other *Status) bool {
	if st == nil || other == nil {
		return st == other
	}
	return slices.EqualFunc(st.targets, other.targets, targetStatus.same) && maps.Equal(st.gateways, other.gateways) && slices.Equal(st.ambiguous, other.ambiguous)
}

func (t targetStatus) same(o targetStatus) bool {
	return t.ref == o.ref && t.key == o.key && t.missing == o.missing && t.absent == o.absent && t.uncounted == o.uncounted && t.gone == o.gone && t.lostTo == o.lostTo &&
		t.overridden == o.overridden && slices.Equal(t.ungranted, o.ungranted) && t.doubtful == o.doubtful && t.astray == o.astray
}
