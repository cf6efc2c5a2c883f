//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// rpcCode is the code of a JSON-RPC error, and 0 where the body is none.
func rpcCode(t *testing.T, a answer) int {
	t.Helper()
	var e struct {
		Version string `json:"jsonrpc"`
		Error   struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal([]byte(a.body), &e) != nil || e.Version == "" {
		return 0
	}
	if e.Version != "2.0" || e.Error.Message == "" || a.header.Get("content-type") != "application/json" {
		t.Errorf("expected a JSON-RPC error, got %s", a.body)
	}
	return e.Error.Code
}

func initializeOf(version string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"` + version + `","capabilities":{},"clientInfo":{"name":"agent","version":"1"}}}`
}

// newestOf is a call of 2026-07-28, which says in _meta what the headers say too.
func newestOf(tool, version string) string {
	return `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"` + version +
		`","io.modelcontextprotocol/clientCapabilities":{}},"name":"` + tool + `","arguments":{}}}`
}

const newestVersion = "mcp-protocol-version: 2026-07-28"

func TestMessagesOfEveryVersionOfMCPComeThroughAsTheyAre(t *testing.T) {
	s := suite.useMCP(t)
	w := way{name: "plain", envoy: s.plain}
	token := s.token(t, aloneResource, "orders:read refunds:write")
	search, refund := callOf("search_orders", `{"query":"pears"}`), callOf("refund", `{"amount":99.5}`)
	for what, r := range map[string]wire{
		"2025-03-26 begins":          post(token, initializeOf("2025-03-26")),
		"2025-06-18 begins":          post(token, initializeOf("2025-06-18")),
		"2025-11-25 begins":          post(token, initializeOf("2025-11-25")),
		"2025-03-26 calls a tool":    post(token, search, "mcp-session-id: one"),
		"2025-06-18 calls a tool":    post(token, refund, "mcp-protocol-version: 2025-06-18"),
		"2025-11-25 calls a tool":    post(token, search, "mcp-protocol-version: 2025-11-25"),
		"2026-07-28 calls a tool":    post(token, newestOf("search_orders", "2026-07-28"), newestVersion, "mcp-method: tools/call", "mcp-name: search_orders"),
		"2026-07-28 marks a name":    post(token, newestOf("search_orders", "2026-07-28"), newestVersion, "mcp-method: tools/call", "mcp-name: =?base64?c2VhcmNoX29yZGVycw==?="),
		"2026-07-28 discovers":       post(token, `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`, newestVersion, "mcp-method: server/discover"),
		"tools are listed":           post(token, `{"jsonrpc":"2.0","id":"a","method":"tools/list"}`),
		"a notification":             post(token, `{"jsonrpc":"2.0","method":"notifications/initialized"}`),
		"an answer of the client":    post(token, `{"jsonrpc":"2.0","id":3,"result":{}}`),
		"a stream":                   {method: "GET", target: "/mcp", host: aloneHost, headers: []string{"authorization: " + bearer(token), "accept: text/event-stream"}},
		"the end of a session":       {method: "DELETE", target: "/mcp", host: aloneHost, headers: []string{"authorization: " + bearer(token), "mcp-session-id: one"}},
		"a page of an origin listed": post(token, search, "origin: https://chat.example.com"),
	} {
		echo := w.send(t, r).echo(t)
		if echo.Body != r.body || echo.Headers.Get("x-agent-id") != "agent" || echo.Headers.Get("authorization") != "" {
			t.Errorf("%s: expected the body as it was, the agent and no credential, got %+v", what, echo)
		}
	}
}

func TestWhatIsNoPlainMessageOfMCPIsRefused(t *testing.T) {
	s := suite.useMCP(t)
	w := way{name: "plain", envoy: s.plain}
	read, all := s.token(t, aloneResource, "orders:read"), s.token(t, aloneResource, "orders:read refunds:write")
	search := callOf("search_orders", `{"query":"pears"}`)
	newest := newestOf("search_orders", "2026-07-28")
	query := post(read, search)
	query.target = "/mcp?access_token=" + read
	put := post(read, search)
	put.method = "PUT"
	for _, c := range []struct {
		sentence     string
		request      wire
		status, code int
		challenge    string
	}{
		{"mcp-name says another tool", post(all, newest, newestVersion, "mcp-method: tools/call", "mcp-name: refund"), 400, -32020, ""},
		{"mcp-method says another method", post(all, newest, newestVersion, "mcp-method: tools/list", "mcp-name: search_orders"), 400, -32020, ""},
		{"mcp-name is missing", post(all, newest, newestVersion, "mcp-method: tools/call"), 400, -32020, ""},
		{"the version in _meta is another", post(all, newestOf("search_orders", "2025-11-25"), newestVersion, "mcp-method: tools/call", "mcp-name: search_orders"), 400, -32020, ""},
		{"mcp-name comes twice", post(all, newest, newestVersion, "mcp-method: tools/call", "mcp-name: search_orders", "mcp-name: refund"), 400, -32020, ""},
		{"an old version too may not lie", post(all, search, "mcp-name: refund"), 400, -32020, ""},
		{"a batch", post(all, "["+search+","+search+"]"), 400, -32600, ""},
		{"the tool comes twice", post(all, `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search_orders","name":"refund","arguments":{"amount":1}}}`), 400, -32600, ""},
		{"a method in another letter case", post(all, `{"jsonrpc":"2.0","id":7,"method":"ping","Method":"tools/call","params":{"name":"refund"}}`), 400, -32600, ""},
		{"bytes behind the message", post(all, search+" {}"), 400, -32700, ""},
		{"NaN", post(all, callOf("refund", `{"amount":NaN}`)), 400, -32700, ""},
		{"no UTF-8", post(all, callOf("search_orders", "{\"query\":\"\xff\"}")), 400, -32700, ""},
		{"deep nesting", post(all, callOf("search_orders", `{"query":`+strings.Repeat("[", 200)+strings.Repeat("]", 200)+`}`)), 400, -32600, ""},
		{"a number beyond a double", post(all, callOf("refund", `{"amount":1e999}`)), 400, -32600, ""},
		{"another method of HTTP", put, 400, 0, ""},
		{"a body that Envoy cut", post(all, callOf("search_orders", `{"query":"`+strings.Repeat("a", maxMCPBody)+`"}`)), 403, 0, ""},
		{"a tool that nobody names", post(all, callOf("delete_everything", `{}`)), 403, 0, ""},
		{"an argument over its limit", post(all, callOf("refund", `{"amount":100}`)), 403, 0, ""},
		{"an argument that is missing", post(all, callOf("refund", `{}`)), 403, 0, ""},
		{"an argument of another type", post(all, callOf("refund", `{"amount":"50"}`)), 403, 0, ""},
		{"a scope less than the tool needs", post(read, callOf("refund", `{"amount":1}`)), 403, 0, `error="insufficient_scope"`},
		{"a token in the query", query, 400, 0, `error="invalid_request"`},
		{"a page of another origin", post(all, search, "origin: https://evil.example"), 403, 0, ""},
		{"a page of no origin", post(all, search, "origin: null"), 403, 0, ""},
		{"no token", post("", search), 401, 0, `resource_metadata="https://mcp.example.test/.well-known/oauth-protected-resource/mcp"`},
		{"a token for another resource", post(s.token(t, "https://elsewhere.example.com", "orders:read"), search), 401, 0, `error="invalid_token"`},
		{"an opaque token", post(s.token(t, "", "orders:read"), search), 401, 0, `error="invalid_token"`},
	} {
		before := s.echo.Count()
		got := w.send(t, c.request)
		if code := rpcCode(t, got); got.status != c.status || code != c.code {
			t.Errorf("%s: expected %d and code %d, got %d and %d: %s", c.sentence, c.status, c.code, got.status, code, got.body)
		}
		if c.challenge != "" {
			holds(t, got.header.Get("www-authenticate"), c.challenge, "resource_metadata=")
		}
		if s.echo.Count() != before {
			t.Errorf("%s: it reached the server", c.sentence)
		}
	}
}

func TestMetadataIsServedToEverybodyAtBothForms(t *testing.T) {
	s := suite.useMCP(t)
	w := way{name: "plain", envoy: s.plain}
	const at = "/.well-known/oauth-protected-resource"
	before := s.echo.Count()
	for _, path := range []string{at + "/mcp", at} {
		got := w.send(t, wire{target: path, host: aloneHost, headers: []string{"origin: https://anybody.example", "authorization: Bearer nonsense"}})
		var document struct {
			Resource string   `json:"resource"`
			Servers  []string `json:"authorization_servers"`
			Scopes   []string `json:"scopes_supported"`
			Methods  []string `json:"bearer_methods_supported"`
		}
		if err := json.Unmarshal([]byte(got.body), &document); got.status != 200 || err != nil || got.header.Get("content-type") != "application/json" || got.header.Get("access-control-allow-origin") != "*" {
			t.Fatalf("%s: expected metadata for any origin, got %d %v %s", path, got.status, got.header, got.body)
		}
		if fmt.Sprint(document) != fmt.Sprintf("{%s [%s] [orders:read] [header]}", aloneResource, s.chaos.URL) {
			t.Errorf("%s: got %v", path, document)
		}
		if head := w.send(t, wire{method: "HEAD", target: path, host: aloneHost}); head.status != 200 || head.body != "" {
			t.Errorf("HEAD %s: expected 200 without a body, got %d %q", path, head.status, head.body)
		}
		preflight := w.send(t, wire{method: "OPTIONS", target: path, host: aloneHost, headers: []string{"origin: https://anybody.example", "access-control-request-method: GET", "access-control-request-headers: mcp-protocol-version"}})
		if preflight.status != 204 || preflight.header.Get("access-control-allow-origin") != "*" || preflight.header.Get("access-control-allow-headers") == "" {
			t.Errorf("OPTIONS %s: expected 204 for any page, got %d %v", path, preflight.status, preflight.header)
		}
	}
	if got := w.send(t, wire{target: at, host: "localhost"}); got.status != 404 {
		t.Errorf("a host with several servers: expected 404 for the root form, got %d", got.status)
	}
	for _, r := range []wire{{target: at + "/other", host: aloneHost}, {method: "POST", target: at + "/mcp", host: aloneHost, body: "{}"}} {
		if got := w.send(t, r); got.status != 403 {
			t.Errorf("%s %s: expected 403, got %d", r.method, r.target, got.status)
		}
	}
	if s.echo.Count() != before {
		t.Error("a request for metadata reached the server")
	}
}

// What Envoy's own filter read of a message must agree with what agentauth reads.
func TestTheMetadataOfEnvoysFilterMustAgreeWithTheBody(t *testing.T) {
	s := suite.useMCP(t)
	token := s.token(t, aloneResource, "orders:read refunds:write")
	before := func(name, filter string) way {
		config := s.envoy(t, name, s.echo.Address)
		config.FiltersBefore, config.MetadataNamespaces = filter, []string{"envoy.filters.http.mcp"}
		return way{name: name, envoy: startEnvoy(t, config)}
	}
	filter := before("filter", `- name: envoy.filters.http.mcp
  typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.mcp.v3.Mcp}`)
	for _, body := range []string{callOf("search_orders", `{"query":"pears"}`), callOf("refund", `{"amount":50}`), initializeOf("2025-11-25"), `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`} {
		if got := filter.send(t, post(token, body)); got.status != 200 {
			t.Errorf("the filter agrees: %s: expected 200, got %d: %s", body, got.status, got.body)
		}
	}
	if got := filter.send(t, post(token, callOf("refund", `{"amount":500}`))); got.status != 403 {
		t.Errorf("expected 403 for a refund over the limit, got %d", got.status)
	}
	// A filter that read another tool: here one that always says so.
	other := before("other", `- name: envoy.filters.http.set_metadata
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config
    metadata:
    - metadata_namespace: envoy.filters.http.mcp
      value: {is_mcp_request: true, jsonrpc: "2.0", method: tools/call, id: 7, params: {name: search_orders}, status: mcp_ok}`)
	if got := other.send(t, post(token, callOf("search_orders", `{}`))); got.status != 200 {
		t.Errorf("the same tool: expected 200, got %d: %s", got.status, got.body)
	}
	for _, body := range []string{callOf("refund", `{"amount":50}`), `{"jsonrpc":"2.0","id":7,"method":"ping"}`} {
		if got := other.send(t, post(token, body)); got.status != 400 || rpcCode(t, got) != -32020 {
			t.Errorf("%s: expected 400 and -32020, got %d: %s", body, got.status, got.body)
		}
	}
}
