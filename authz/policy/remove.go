package policy

import (
	"slices"

	"github.com/agentauth-dev/agentauth/authz"
)

// Host is what is known of the host of a request beside its policy.
type Host struct {
	// Reserved are the reserved headers of the host, of which those of Namespace
	// (the policy's) and of Others (the routes') are removed.
	Reserved  []*Reserved
	Namespace string
	Others    []string
	// Shared are reserved headers of which those of all namespaces are removed.
	Shared []*Reserved
	// TrustForwarded leaves headers that name another host, path or method than the
	// request's: a proxy before the door writes them.
	TrustForwarded bool
}

// removal collects the headers that are removed from a request. What is usual, that
// the request has no header under another spelling of a name, looks at no header.
type removal struct {
	request *authz.Request
	// odd are the headers that came under names that are not their own alias.
	odd []Name
	// own are the names that the policy sets, and always what is removed from every
	// request, in order.
	own    Names
	always []string
	// more is what is removed beyond that, in no order. A name may be there twice.
	more []string
}

func (m *removal) begin(r *authz.Request) {
	m.request = r
	if !r.HasAliases() {
		return
	}
	for name := range r.Headers() {
		if alias := authz.Alias(name); alias != name {
			m.odd = append(m.odd, Name{alias, name})
		}
	}
}

// add adds the name of a header.
func (m *removal) add(name string) {
	if _, always := slices.BinarySearch(m.always, name); !always {
		m.more = append(m.more, name)
	}
}

// others adds the headers that came under a name that upstreams may take for one, but
// under its own.
func (m *removal) others(n Name) {
	if n.Alias != n.Name {
		m.came(n.Alias)
	}
	for _, o := range m.odd {
		if o.Alias == n.Alias && o.Name != n.Name {
			m.add(o.Name)
		}
	}
}

// came adds a header if it came.
func (m *removal) came(name string) {
	if _, fields := m.request.Header(name); fields > 0 {
		m.add(name)
	}
}

// names adds names, and every header that came under a name that upstreams may take
// for one of them.
func (m *removal) names(names Names) {
	if !slices.Equal(names, m.own) { // usual: the host has one policy
		for _, n := range names {
			m.add(n.Name)
		}
	}
	for _, n := range names {
		if n.Alias != n.Name {
			m.came(n.Alias)
		}
	}
	for _, o := range m.odd {
		if names.have(o.Alias) {
			m.add(o.Name)
		}
	}
}

// host adds the reserved headers, and those that mislead.
func (m *removal) host(h *Host) {
	for _, reserved := range h.Reserved {
		m.names(reserved.of(h.Namespace))
		for _, ns := range h.Others {
			m.names(reserved.of(ns))
		}
	}
	for _, reserved := range h.Shared {
		m.names(reserved.all)
	}
	if !h.TrustForwarded {
		for _, name := range m.request.Misleading() {
			m.add(name)
		}
	}
}

// but are the headers that are removed, in order, but for those that are set: Envoy
// removes after it sets.
func (m *removal) but(set []authz.Header) []string {
	out := make([]string, 0, len(m.always)+len(m.more))
	out = append(append(out, m.always...), m.more...)
	out = slices.DeleteFunc(out, func(name string) bool {
		return slices.ContainsFunc(set, func(h authz.Header) bool { return h.Name == name })
	})
	slices.Sort(out)
	return slices.Compact(out)
}
