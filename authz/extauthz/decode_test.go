package extauthz

import (
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/agentauth-dev/agentauth/authz"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// parse reads a CheckRequest in text form.
func parse(t testing.TB, text string) *authv3.CheckRequest {
	t.Helper()
	check := &authv3.CheckRequest{}
	if err := prototext.Unmarshal([]byte(text), check); err != nil {
		t.Fatal(err)
	}
	return check
}

// http wraps the text of an HttpRequest in a CheckRequest.
func http(fields string) string { return "attributes { request { http {" + fields + "} } }" }

// plaintextCheck is what Envoy 1.40 sends without encode_raw_headers.
const plaintextCheck = `attributes {
  source { address { socket_address { address: "::ffff:192.0.2.7" port_value: 4711 } } principal: "spiffe://prod/ns/shop/sa/agent" certificate: "-----BEGIN%20CERTIFICATE-----" }
  request {
    time { seconds: 1 }
    http {
      id: "2425260417942089628" method: "POST" path: "/v1/a%2fb/../c//d?x=1" host: "A.Example.COM:80." scheme: "http"
      headers { key: ":authority" value: "A.Example.COM:80." }
      headers { key: ":method" value: "POST" }
      headers { key: ":path" value: "/v1/a%2fb/../c//d?x=1" }
      headers { key: ":scheme" value: "http" }
      headers { key: "authorization" value: "Bearer one,Bearer two" }
      headers { key: "content-length" value: "3" }
      headers { key: "x-forwarded-proto" value: "http" }
      headers { key: "x-envoy-auth-partial-body" value: "false" }
      body: "abc"
    }
  }
  context_extensions { key: "agentauth.dev/policy" value: "shop/orders" }
  metadata_context { filter_metadata {
    key: "envoy.filters.http.mcp"
    value { fields { key: "method" value { string_value: "tools/call" } } fields { key: "id" value { number_value: 7 } } }
  } }
  route_metadata_context { filter_metadata {
    key: "envoy-gateway"
    value { fields { key: "resources" value { list_value { values { struct_value {
      fields { key: "kind" value { string_value: "HTTPRoute" } }
      fields { key: "namespace" value { string_value: "shop" } }
      fields { key: "name" value { string_value: "orders" } }
      fields { key: "sectionName" value { string_value: "refunds" } }
    } } } } } }
  } }
}`

func TestTheHeadersFormIsReadAsEnvoySendsIt(t *testing.T) {
	want := authz.Raw{
		ID: "2425260417942089628", Method: "POST", Scheme: "http",
		Host: "A.Example.COM:80.", Path: "/v1/a%2fb/../c//d?x=1",
		Headers: []authz.Header{
			{Name: ":authority", Value: "A.Example.COM:80."}, {Name: ":method", Value: "POST"},
			{Name: ":path", Value: "/v1/a%2fb/../c//d?x=1"}, {Name: ":scheme", Value: "http"},
			{Name: "authorization", Value: "Bearer one,Bearer two"}, {Name: "content-length", Value: "3"},
			{Name: "x-envoy-auth-partial-body", Value: "false"}, {Name: "x-forwarded-proto", Value: "http"},
		},
		Joined: true, Body: []byte("abc"), BodyKnown: true,
		Source:            authz.Source{Address: "192.0.2.7", Principal: "spiffe://prod/ns/shop/sa/agent", Certificate: "-----BEGIN%20CERTIFICATE-----"},
		ContextExtensions: map[string]string{"agentauth.dev/policy": "shop/orders"},
		Metadata:          authz.MetadataMap{"envoy.filters.http.mcp": map[string]any{"method": "tools/call", "id": 7.0}},
		Route:             &authz.RouteRef{Kind: "HTTPRoute", Namespace: "shop", Name: "orders", SectionName: "refunds"},
		Time:              noon,
	}
	if diff := cmp.Diff(want, decode(parse(t, plaintextCheck), noon)); diff != "" {
		t.Error(diff)
	}
}

func TestTheHeaderMapFormKeepsBytesOrderAndDuplicates(t *testing.T) {
	got := decode(parse(t, `attributes {
	  source { address { socket_address { address: "2001:DB8:0:0::1" } } }
	  tls_session { sni: "orders.example.com" }
	  request { http {
	    method: "POST" path: "/v1" host: "orders.example.com" scheme: "https"
	    header_map {
	      headers { key: ":authority" raw_value: "orders.example.com" }
	      headers { key: ":method" raw_value: "POST" }
	      headers { key: ":path" raw_value: "/v1" }
	      headers { key: ":scheme" raw_value: "https" }
	      headers { key: "x-name" raw_value: "caf\351" }
	      headers { key: "authorization" raw_value: "Bearer one,Bearer two" }
	      headers { key: "x-dup" raw_value: "b" }
	      headers { key: "x-dup" raw_value: "a" }
	      headers { key: "x-empty" raw_value: "" }
	      headers { key: "x-text" value: "as text" }
	      headers { key: "x-envoy-auth-partial-body" raw_value: "true" }
	      headers { key: "x-envoy-auth-partial-body" raw_value: "false" }
	    }
	    raw_body: "\377\376a"
	  } } }`), noon)
	want := authz.Raw{
		Method: "POST", Scheme: "https", Host: "orders.example.com", Path: "/v1", TLS: true,
		Headers: []authz.Header{
			{Name: ":authority", Value: "orders.example.com"}, {Name: ":method", Value: "POST"},
			{Name: ":path", Value: "/v1"}, {Name: ":scheme", Value: "https"},
			{Name: "x-name", Value: "caf\xe9"}, {Name: "authorization", Value: "Bearer one,Bearer two"},
			{Name: "x-dup", Value: "b"}, {Name: "x-dup", Value: "a"}, {Name: "x-empty", Value: ""},
			{Name: "x-text", Value: "as text"},
			{Name: "x-envoy-auth-partial-body", Value: "true"}, {Name: "x-envoy-auth-partial-body", Value: "false"},
		},
		Body: []byte("\xff\xfea"), BodyKnown: true,
		Source: authz.Source{Address: "2001:db8::1"}, Time: noon,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPseudoHeadersStandInForMissingAttributes(t *testing.T) {
	got := decode(parse(t, http(`header_map {
	  headers { key: ":authority" raw_value: "a.test" } headers { key: ":method" raw_value: "GET" }
	  headers { key: ":path" raw_value: "/x" } headers { key: ":scheme" raw_value: "https" } }`)), noon)
	if got.Host != "a.test" || got.Method != "GET" || got.Path != "/x" || got.Scheme != "https" || !got.TLS {
		t.Errorf("got %+v", got)
	}
	if _, err := authz.NewRequest(got); err != nil {
		t.Error(err)
	}
}

func TestAPseudoHeaderThatDiffersFromItsAttributeIsRefused(t *testing.T) {
	for _, pseudo := range []string{":authority", ":method", ":path", ":scheme"} {
		raw := decode(parse(t, http(`method: "GET" path: "/x" host: "a.test" scheme: "http"
		  headers { key: "`+pseudo+`" value: "/other" }`)), noon)
		if _, err := authz.NewRequest(raw); err == nil {
			t.Errorf("%s was not compared", pseudo)
		}
	}
}

func TestAMessageWithBothFormsLosesNeither(t *testing.T) {
	raw := decode(parse(t, http(`method: "GET" path: "/x" host: "a.test" scheme: "http"
	  headers { key: "x-api-key" value: "one" }
	  header_map { headers { key: "x-api-key" raw_value: "two" } }`)), noon)
	r, err := authz.NewRequest(raw)
	if err != nil {
		t.Fatal(err)
	}
	if v, n := r.Header("x-api-key"); v != "one,two" || n != 2 {
		t.Errorf("got %q in %d fields, want both", v, n)
	}
}

func TestAnEmptyCheckIsARequestThatIsRefused(t *testing.T) {
	for name, check := range map[string]*authv3.CheckRequest{
		"nil": nil, "empty": {}, "no http": {Attributes: &authv3.AttributeContext{}},
		"nil header": {Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
			Http: &authv3.AttributeContext_HttpRequest{HeaderMap: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{nil}}}}}},
	} {
		raw := decode(check, noon)
		if _, err := authz.NewRequest(raw); err == nil {
			t.Errorf("%s: became a request", name)
		}
		if !raw.Time.Equal(noon) || raw.TLS || raw.BodyKnown || raw.Route != nil {
			t.Errorf("%s: got %+v", name, raw)
		}
	}
}

func TestTheSourceIsAnAddressWithoutPortOrNothing(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:DB8::0:1": "2001:db8::1",
		"fe80::1%eth0": "fe80::1", "": "", "/run/envoy.sock": "", "192.0.2.7:80": "", "192.0.2.007": "",
	} {
		got := decode(parse(t, `attributes { source { address { socket_address { address: "`+in+`" } } } }`), noon)
		if got.Source.Address != want {
			t.Errorf("%q: got %q, want %q", in, got.Source.Address, want)
		}
	}
}

func TestTLSNeedsEveryWordThereIsToSaySo(t *testing.T) {
	for _, c := range []struct {
		name, attrs string
		want        bool
	}{
		{"plain", `request { http { scheme: "http" } }`, false},
		{"https by scheme", `request { http { scheme: "https" } }`, true},
		{"https by scheme in capitals", `request { http { scheme: "HTTPS" } }`, true},
		{"nothing said", ``, false},
		{"Envoy measured TLS, the caller wrote :scheme http", `tls_session {} request { http { scheme: "http" } }`, true},
		{"Envoy measured plaintext, the caller wrote :scheme https",
			`request { http { scheme: "https" headers { key: "x-forwarded-proto" value: "http" } } }`, false},
		{"a load balancer spoke plaintext to its caller and TLS to Envoy",
			`tls_session {} request { http { scheme: "https" headers { key: "x-forwarded-proto" value: "http" } } }`, false},
		{"TLS all the way", `tls_session {} request { http { scheme: "https" headers { key: "x-forwarded-proto" value: "https" } } }`, true},
		{"two words on it", `request { http { scheme: "https" header_map {
			headers { key: "x-forwarded-proto" raw_value: "https" } headers { key: "x-forwarded-proto" raw_value: "http" } } } }`, false},
		{"two words joined", `request { http { scheme: "https" headers { key: "x-forwarded-proto" value: "https,http" } } }`, false},
	} {
		if got := decode(parse(t, "attributes {"+c.attrs+"}"), noon).TLS; got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
