package extauthz

import (
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/agentauth-dev/agentauth/authz"
)

// metadata is a check as its dynamic metadata. It is for the goroutine that decides,
// as long as it decides.
type metadata check

// Map implements [authz.Metadata]. It has the untyped metadata; every number in it
// is a float64. typed_filter_metadata is ignored.
func (m *metadata) Map() (map[string]any, error) {
	if m.metadata.wire == nil {
		return m.metadataMap, m.metadataErr
	}
	var read corev3.Metadata
	if proto.Unmarshal(m.metadata.wire, &read) != nil {
		m.metadataErr = errWire
	} else {
		m.metadataMap = readMetadata(&read)
	}
	m.metadata = merged{}
	return m.metadataMap, m.metadataErr
}

func readMetadata(m *corev3.Metadata) map[string]any {
	if len(m.GetFilterMetadata()) == 0 {
		return nil
	}
	out := make(map[string]any, len(m.GetFilterMetadata()))
	for namespace, s := range m.GetFilterMetadata() {
		out[namespace] = s.AsMap()
	}
	return out
}

// known is what was read last of what comes from the configuration of a proxy's
// route: it is the same for many checks.
type known struct {
	extensions    []authz.Header
	extensionsMap map[string]string
	route         string
	ref           *authz.RouteRef
}

// mostKnown bounds what is kept of each, in bytes.
const mostKnown = 4 << 10

// readExtensions are context extensions as a map, which does not change.
func (k *known) readExtensions(list []authz.Header) map[string]string {
	if len(list) == 0 {
		return nil
	}
	if slices.Equal(list, k.extensions) {
		return k.extensionsMap
	}
	read := make(map[string]string, len(list))
	kept := make([]authz.Header, len(list))
	size := 0
	for i, e := range list {
		kept[i] = authz.Header{Name: strings.Clone(e.Name), Value: strings.Clone(e.Value)}
		read[kept[i].Name] = kept[i].Value
		size += len(e.Name) + len(e.Value)
	}
	if size <= mostKnown {
		k.extensions, k.extensionsMap = kept, read
	}
	return read
}

// readRoute is the route that route metadata names; ok is false where it is
// malformed.
func (k *known) readRoute(wire []byte) (ref *authz.RouteRef, ok bool) {
	if len(wire) == 0 {
		return nil, true
	}
	if string(wire) == k.route {
		return k.ref, true
	}
	names, ok := namesRoute(wire)
	if !ok {
		return nil, false
	}
	if names {
		var read corev3.Metadata
		if proto.Unmarshal(wire, &read) != nil {
			return nil, false
		}
		ref = readRoute(&read)
	}
	if len(wire) <= mostKnown {
		k.route, k.ref = string(wire), ref
	}
	return ref, true
}

// namesRoute says whether metadata has something of the route.
func namesRoute(wire []byte) (names, ok bool) {
	m := message{rest: wire}
	for m.next() {
		if m.number != 1 && m.number != 2 { // filter_metadata, typed_filter_metadata
			continue
		}
		var key string
		entry := message{rest: m.value}
		for ok = true; entry.next(); {
			if entry.number == 1 {
				key, ok = readText(entry.value)
			}
			if !ok {
				return false, false
			}
		}
		if entry.bad {
			return false, false
		}
		names = names || key == routeNamespace
	}
	return names, !m.bad
}

// routeNamespace is where Envoy Gateway's includeRouteMetadata names the route:
// resources[0] {kind, namespace, name and, for a named rule, sectionName}.
const routeNamespace = "envoy-gateway"

// readRoute returns nil only if the proxy says nothing about the route. A word
// that cannot be read is an empty RouteRef, a route that nobody knows, never
// nil, and never a route without its rule: both would be a weaker policy.
func readRoute(m *corev3.Metadata) *authz.RouteRef {
	s, untyped := m.GetFilterMetadata()[routeNamespace]
	if _, typed := m.GetTypedFilterMetadata()[routeNamespace]; !untyped && !typed {
		return nil
	}
	resources := s.GetFields()["resources"].GetListValue().GetValues()
	if len(resources) == 0 {
		return &authz.RouteRef{}
	}
	fields := resources[0].GetStructValue().GetFields()
	readable := true
	text := func(name string) string {
		v, present := fields[name]
		_, isText := v.GetKind().(*structpb.Value_StringValue)
		readable = readable && (isText || !present)
		return v.GetStringValue()
	}
	ref := &authz.RouteRef{
		Kind: text("kind"), Namespace: text("namespace"), Name: text("name"), SectionName: text("sectionName"),
	}
	if !readable {
		return &authz.RouteRef{}
	}
	return ref
}
