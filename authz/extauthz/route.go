package extauthz

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/agentauth-dev/agentauth/authz"
)

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
