package extauthz

import "testing"

func TestABodyIsKnownOnlyIfAllOfItIsHere(t *testing.T) {
	const whole, part = ` headers { key: "x-envoy-auth-partial-body" value: "false" }`, ` headers { key: "x-envoy-auth-partial-body" value: "true" }`
	length := func(n string) string { return ` headers { key: "content-length" value: "` + n + `" }` }
	for _, c := range []struct {
		name, http string
		want       bool
	}{
		{"whole, of the stated length", `method: "POST" body: "abc"` + whole + length("3"), true},
		{"whole, no length stated", `method: "POST" body: "abc"` + whole, true},
		{"whole, as bytes", `method: "POST" raw_body: "abc"` + whole, true},
		{"cut", `method: "POST" body: "abc"` + part + length("9"), false},
		{"cut, marked whole by the caller before Envoy's own mark", `method: "POST" body: "abc" header_map {
			headers { key: "x-envoy-auth-partial-body" raw_value: "false" } headers { key: "x-envoy-auth-partial-body" raw_value: "true" } }`, false},
		{"whole, marked cut by the caller before Envoy's own mark", `method: "POST" body: "abc" header_map {
			headers { key: "x-envoy-auth-partial-body" raw_value: "true" } headers { key: "x-envoy-auth-partial-body" raw_value: "false" } }`, true},
		{"a mark in other letters", `method: "POST" body: "abc" headers { key: "x-envoy-auth-partial-body" value: "False" }`, false},
		{"two marks joined", `method: "POST" body: "abc" headers { key: "x-envoy-auth-partial-body" value: "false,false" }`, false},
		{"no mark", `method: "POST" body: "abc"` + length("3"), false},
		{"longer than stated", `method: "POST" body: "abc"` + whole + length("2"), false},
		{"a length with a zero before it", `method: "POST" body: "abc"` + whole + length("03"), false},
		{"two lengths joined", `method: "POST" body: "abc"` + whole + length("3,3"), false},
		{"two lengths that differ", `method: "POST" body: "abc" header_map { headers { key: "x-envoy-auth-partial-body" raw_value: "false" }
			headers { key: "content-length" raw_value: "3" } headers { key: "content-length" raw_value: "4" } }`, false},
		{"stated empty", `method: "POST"` + length("0"), true},
		{"stated empty, and chunked", `method: "POST" headers { key: "transfer-encoding" value: "chunked" }` + length("0"), false},
		{"GET that states no body", `method: "GET"` + length("0"), true},
		{"HEAD that states no body", `method: "HEAD"` + length("0"), true},
		{"GET that states nothing, which may be chunked", `method: "GET"`, false},
		{"HEAD that states nothing, which may be chunked", `method: "HEAD"`, false},
		{"TRACE that states nothing", `method: "TRACE"`, false},
		{"GET, marked whole by the caller", `method: "GET"` + whole, false},
		{"GET that states no body in another way", `method: "GET"` + length("00"), false},
		{"GET with a body, whole", `method: "GET" body: "abc"` + whole + length("3"), true},

		{"empty GET, marked cut", `method: "GET"` + part, false},
		{"GET that states a body we were not sent", `method: "GET"` + length("3"), false},
		{"chunked GET we were not sent", `method: "GET" headers { key: "transfer-encoding" value: "chunked" }`, false},
		{"POST we were not sent", `method: "POST"`, false},
		{"POST we were not sent, marked whole by the caller", `method: "POST"` + whole, false},
		{"DELETE we were not sent", `method: "DELETE"`, false},
		{"GET in small letters", `method: "get"`, false},
		{"no method", ``, false},
	} {
		if got := decode(parse(t, http(c.http)), noon).BodyKnown; got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
