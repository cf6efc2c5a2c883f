package main

import "strings"

// settings is what docs/envoy.md says, and one change each.
var settings = []variant{
	{name: "as docs/envoy.md says", server: empty},
	{name: "the same, again", server: empty},
	{name: "allowed_headers: authorization", server: empty, note: "hides every other header from rules and from the refusal of ambiguous requests",
		filter: func(c object) { c["allowed_headers"] = exact("authorization") }},
	{name: "disallowed_headers: six headers", server: empty, note: "hides these headers from rules",
		filter: func(c object) {
			c["disallowed_headers"] = exact("accept", "accept-encoding", "accept-language", "cache-control", "origin", "user-agent")
		}},
	{name: "encode_raw_headers: false", server: empty, note: "fields of one name come joined, bytes that are not UTF-8 replaced",
		filter: func(c object) { c["encode_raw_headers"] = false }},
	{name: "include_tls_session: false", server: empty, note: "TLS is known by x-forwarded-proto alone",
		filter: func(c object) { c["include_tls_session"] = false }},
	{name: "include_peer_certificate: true (plaintext)", server: empty, filter: func(c object) { c["include_peer_certificate"] = true }},
	{name: "route metadata of Envoy Gateway", server: empty,
		filter: func(c object) { c["route_metadata_context_namespaces"] = []string{"envoy-gateway"} }, route: gatewayRoute},
	{name: "context_extensions: the policy's name", server: empty, route: namedPolicy},
	{name: "charge_cluster_response_stats: false", server: empty, filter: func(c object) { c["charge_cluster_response_stats"] = false }},
	{name: "stat_prefix", server: empty, filter: func(c object) { c["stat_prefix"] = "agentauth" }},
	{name: "skip_envoy_headers: true", server: empty,
		filter: func(c object) { at(c, "grpc_service", "envoy_grpc")["skip_envoy_headers"] = true }},
	{name: "both: skip_envoy_headers, no response stats", server: empty, filter: func(c object) {
		c["charge_cluster_response_stats"] = false
		at(c, "grpc_service", "envoy_grpc")["skip_envoy_headers"] = true
	}},
	{name: "no timeout", server: empty, note: "a check that hangs holds its request for ever",
		filter: func(c object) { at(c, "grpc_service")["timeout"] = "0s" }},
	{name: "google_grpc", server: empty, google: true},
	{name: "HTTP/2 windows of 64 KiB", server: empty, cluster: func(c object) {
		h := http2(c)
		h["initial_stream_window_size"], h["initial_connection_window_size"] = 65536, 65536
	}},
	{name: "no header compression (hpack_table_size: 0)", server: empty, cluster: func(c object) { http2(c)["hpack_table_size"] = 0 }},
	{name: "2 connections (max_concurrent_streams: 16)", server: empty, cluster: func(c object) { http2(c)["max_concurrent_streams"] = 16 }},
	{name: "8 connections (max_concurrent_streams: 4)", server: empty, cluster: func(c object) { http2(c)["max_concurrent_streams"] = 4 }},
	{name: "a new connection each 1,000 checks", server: empty, cluster: func(c object) {
		at(c, "typed_extension_protocol_options", protocolOptions, "common_http_protocol_options")["max_requests_per_connection"] = 1000
	}},
	{name: "a Unix socket", server: empty, socket: true},
}

// bodies is POST requests; what is compared is only what ext_authz adds for their bodies.
var bodies = []variant{
	{name: "1 KiB, not sent to the server", server: empty, body: 1 << 10},
	{name: "1 KiB, with_request_body", server: empty, body: 1 << 10, filter: withBody},
	{name: "64 KiB, not sent to the server", server: empty, body: 64 << 10},
	{name: "64 KiB, with_request_body", server: empty, body: 64 << 10, filter: withBody},
}

const protocolOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

func http2(cluster object) object {
	return at(cluster, "typed_extension_protocol_options", protocolOptions, "explicit_http_config", "http2_protocol_options")
}

func exact(names ...string) object {
	var patterns []object
	for _, name := range names {
		patterns = append(patterns, object{"exact": name})
	}
	return object{"patterns": patterns}
}

func withBody(c object) {
	c["with_request_body"] = object{"max_request_bytes": 65536, "allow_partial_message": true, "pack_as_bytes": true}
}

func gatewayRoute(route object) {
	route["metadata"] = object{"filter_metadata": object{"envoy-gateway": object{"resources": []object{
		{"kind": "HTTPRoute", "namespace": "shop", "name": "tools", "sectionName": "invoke"},
	}}}}
}

func namedPolicy(route object) {
	route["typed_per_filter_config"] = object{"envoy.filters.http.ext_authz": object{
		"@type":          "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute",
		"check_settings": object{"context_extensions": object{"agentauth.dev/policy": "shop/tools"}},
	}}
}

// changed is the notes of a set, for the page.
func changed(variants []variant) string {
	var b strings.Builder
	for _, v := range variants {
		if v.note != "" {
			b.WriteString("- `" + v.name + "` " + v.note + ".\n")
		}
	}
	return b.String()
}
