package main

import (
	"fmt"
	"slices"
	"strings"
)

// The servers that an ext_authz filter can ask.
const (
	nobody    = ""
	empty     = "empty"
	agentauth = "agentauth"
)

// variant is one way to have a request checked.
type variant struct {
	name    string
	server  string          // what ext_authz asks
	body    int             // bytes of the request's body
	note    string          // what the change takes from agentauth; empty if nothing
	filters func() []object // instead of ext_authz

	// The changes to what docs/envoy.md says.
	filter  func(config object) // of the ext_authz filter
	cluster func(cluster object)
	route   func(route object)
	socket  bool // a Unix socket instead of TCP
	google  bool // google_grpc instead of envoy_grpc
}

// set is variants that are compared with each other: all with the first that asks the empty server.
type set struct {
	name, title string
	variants    []variant
}

var sets = []set{
	{"sides", "A hot RS256 token", []variant{
		{name: "Envoy alone", filters: noFilters},
		{name: "ext_authz, empty server", server: empty},
		{name: "ext_authz, empty server, again", server: empty},
		{name: "ext_authz, agentauth", server: agentauth},
		{name: "jwt_authn, no token cache", filters: jwtFilter(false)},
		{name: "jwt_authn, token cache", filters: jwtFilter(true)},
	}},
	{"settings", "One setting changed", settings},
	{"bodies", "A request with a body, empty server", bodies},
}

func pick(names string) ([]set, error) {
	var picked []set
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(sets, func(s set) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-sets: expected sides, settings or bodies, got %q", name)
		}
		picked = append(picked, sets[i])
	}
	return picked, nil
}

func noFilters() []object { return nil }

// jwtFilter is Envoy's own check of a token: signature, issuer, audience and time, and the headers that the policy sets.
// It knows no scope and no rule.
func jwtFilter(cached bool) func() []object {
	return func() []object {
		provider := object{
			"issuer": issuer, "audiences": []string{audience}, "forward": true,
			"local_jwks": object{"inline_string": jwks()},
			"claim_to_headers": []object{
				{"header_name": "x-agent-id", "claim_name": "sub"},
				{"header_name": "x-agent-issuer", "claim_name": "iss"},
				{"header_name": "x-agent-tenant", "claim_name": "tenant"},
			},
		}
		if cached {
			provider["jwt_cache_config"] = object{"jwt_cache_size": 100}
		}
		return []object{{"name": "envoy.filters.http.jwt_authn", "typed_config": object{
			"@type":     "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
			"providers": object{"idp": provider},
			"rules":     []object{{"match": object{"prefix": "/"}, "requires": object{"provider_name": "idp"}}},
		}}}
	}
}
