package extauthz

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/agentauth-dev/agentauth/authz"
)

// resource is the metadata of a route with these fields.
func resource(fields string) string {
	return `filter_metadata { key: "envoy-gateway" value { fields { key: "resources" value { list_value { values { struct_value {` +
		fields + `} } } } } } }`
}

func text(key, value string) string {
	return ` fields { key: "` + key + `" value { string_value: "` + value + `" } }`
}

func TestOnlySilenceAboutTheRouteIsNoRoute(t *testing.T) {
	route := text("kind", "HTTPRoute") + text("namespace", "shop") + text("name", "orders")
	for _, c := range []struct {
		name, metadata string
		want           *authz.RouteRef
	}{
		{"silence", ``, nil},
		{"another namespace", `filter_metadata { key: "istio" value {} }`, nil},
		{"a route", resource(route), &authz.RouteRef{Kind: "HTTPRoute", Namespace: "shop", Name: "orders"}},
		{"a rule", resource(route + text("sectionName", "r")), &authz.RouteRef{Kind: "HTTPRoute", Namespace: "shop", Name: "orders", SectionName: "r"}},
		{"no name", resource(text("kind", "HTTPRoute")), &authz.RouteRef{Kind: "HTTPRoute"}},
		{"a rule that is no text", resource(route + ` fields { key: "sectionName" value { number_value: 1 } }`), &authz.RouteRef{}},
		{"a name that is null", resource(text("kind", "HTTPRoute") + ` fields { key: "name" value { null_value: NULL_VALUE } }`), &authz.RouteRef{}},
		{"a rule without a value", resource(route + ` fields { key: "sectionName" value {} }`), &authz.RouteRef{}},
		{"no resources", `filter_metadata { key: "envoy-gateway" value {} }`, &authz.RouteRef{}},
		{"resources that are no list", `filter_metadata { key: "envoy-gateway" value { fields { key: "resources" value { string_value: "x" } } } }`, &authz.RouteRef{}},
		{"an empty list", `filter_metadata { key: "envoy-gateway" value { fields { key: "resources" value { list_value {} } } } }`, &authz.RouteRef{}},
		{"a resource that is no object", `filter_metadata { key: "envoy-gateway" value { fields { key: "resources" value { list_value { values { string_value: "x" } } } } } }`, &authz.RouteRef{}},
		{"typed metadata", `typed_filter_metadata { key: "envoy-gateway" value {} }`, &authz.RouteRef{}},
	} {
		got := decode(parse(t, "attributes { route_metadata_context {"+c.metadata+"} }"), noon).Route
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestMetadataOfARequestIsNoWordAboutItsRoute(t *testing.T) {
	got := decode(parse(t, "attributes { metadata_context {"+resource(text("name", "orders"))+"} }"), noon)
	if got.Route != nil {
		t.Errorf("got %+v, want none", got.Route)
	}
}
