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
	// TrustMCPMetadata takes the word of Envoy's mcp filter where a body is not here.
	TrustMCPMetadata bool
}

// removal collects the headers that are removed from a request.
type removal struct {
	request *authz.Request
	// own are the names that the policy sets, and always what is removed from every
	// request, in order.
	own    Names
	always []string
	// more is what is removed beyond that, in no order. A name may be there twice.
	more []string
}

// add adds the name of a header.
func (m *removal) add(name string) {
	if _, always := slices.BinarySearch(m.always, name); !always {
		m.more = append(m.more, name)
	}
}

// came adds a header if it came.
func (m *removal) came(name string) {
	if _, fields := m.request.Header(name); fields > 0 {
		m.add(name)
	}
}

// aliases adds the headers that came under another name that upstreams may take for
// this one. A usual request has none.
func (m *removal) aliases(n Name) {
	if n.Alias != n.Name || m.request.HasAliases() {
		m.more = m.request.AppendAliases(m.more, n.Name)
	}
}

// names adds names, and every header that came under a name that upstreams may take
// for one of them. Those of the policy, which are usually those of its host, are in
// always, and are asked about once: see all.
func (m *removal) names(names Names) {
	if slices.Equal(names, m.own) {
		return
	}
	for _, n := range names {
		m.add(n.Name)
		m.aliases(n)
	}
}

// all adds what is removed for the names of the policy and for its host.
func (m *removal) all(h *Host) {
	for _, n := range m.own {
		m.aliases(n)
	}
	m.host(h)
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
