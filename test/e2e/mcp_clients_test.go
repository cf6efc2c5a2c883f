//go:build e2e

package e2e

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// happened are the events of a client that ended well.
func happened(t *testing.T, run parts.ClientRun, err error) []parts.Event {
	t.Helper()
	must(t, err)
	events, err := run.Events()
	if err != nil {
		t.Fatalf("%v\n%s", err, run.Stdout)
	}
	return events
}

// find is the first event with a member of a value.
func find(t *testing.T, events []parts.Event, name, value string) parts.Event {
	t.Helper()
	for _, e := range events {
		if e.Text(name) == value {
			return e
		}
	}
	t.Fatalf("nothing happened with %s %q: %v", name, value, events)
	return nil
}

// results holds steps to what comes of them; "!" begins an error.
func results(t *testing.T, events []parts.Event, want map[string]string) {
	t.Helper()
	for step, result := range want {
		e := find(t, events, "step", step)
		text, refused := strings.CutPrefix(result, "!")
		if got := e.Text("error") + e.Text("result"); (e["error"] != nil) != refused || !strings.Contains(got, text) {
			t.Errorf("%s: expected %q, got %q", step, result, got)
		}
	}
}

// holds says whether a challenge has what it must have, in any order.
func holds(t *testing.T, challenge string, parameters ...string) {
	t.Helper()
	for _, p := range parameters {
		if !strings.HasPrefix(challenge, "Bearer ") || !strings.Contains(challenge, p) {
			t.Errorf("expected a challenge with %s, got %q", p, challenge)
		}
	}
}

func (s *mcpStage) runAgent(t *testing.T, url string, steps []string, env ...string) []parts.Event {
	t.Helper()
	run, err := parts.RunClientWith(t.Context(), "mcp-client.mjs", steps, append(env, "MCP_URL="+url, "NODE_EXTRA_CA_CERTS="+filepath.Join(s.dir, "ca.crt"))...)
	return happened(t, run, err)
}

const (
	listStep   = "list"
	searchStep = `call search_orders {"query":"pears"}`
	refundStep = `call refund {"order":"7","amount":50}`
	dearStep   = `call refund {"order":"7","amount":500}`
	deleteStep = `call delete_everything`
)

func TestTheOfficialMCPClientFindsItsWayFromTheBareURL(t *testing.T) {
	s := suite.useMCP(t)
	url := s.orders.HTTPS() + "/mcp"
	metadata := s.orders.HTTPS() + "/.well-known/oauth-protected-resource/mcp"
	events := s.runAgent(t, url, []string{listStep, searchStep, refundStep, dearStep, deleteStep, "read orders://catalog", "read orders://ledger", `prompt summary {"order":"7"}`})

	// In this order: 401, the metadata of both, registration, login, token.
	first := events[0]
	if first.Text("fetch") != url || first.Text("status") != "401" {
		t.Fatalf("expected the first call to be refused, got %v", first)
	}
	holds(t, first.Text("challenge"), `resource_metadata="`+metadata+`"`, `scope="orders:read"`)
	var order []string
	for _, e := range events[1:6] {
		order = append(order, strings.TrimPrefix(e.Text("fetch")+e.Text("authorize"), s.chaos.URL)+" "+e.Text("status"))
	}
	if want := []string{metadata + " 200", "/.well-known/oauth-authorization-server 200", "/reg 201", "/auth ", metadata + " 200"}; !slices.Equal(order, want) {
		t.Errorf("expected %q, got %q", want, order)
	}
	login := find(t, events, "authorize", s.chaos.URL+"/auth")
	if login.Text("scope") != "orders:read" || login.Text("resource") != url || login.Text("pkce") != "S256" {
		t.Errorf("expected a login for the resource with PKCE, got %v", login)
	}
	if token := find(t, events, "token", "Bearer"); token.Text("scope") != "orders:read" || token.Text("jwt") != "true" {
		t.Errorf("expected a JWT for orders:read, got %v", token)
	}
	results(t, events, map[string]string{
		listStep:                       "delete_everything", // an answer is not filtered
		searchStep:                     `{"found":["an order of pears"],"agent":"alice","tool":"search_orders"}`,
		refundStep:                     `{"refunded":50,"order":"7","agent":"alice","tool":"refund"}`,
		dearStep:                       "!",
		deleteStep:                     "!",
		"read orders://catalog":        "apples, pears",
		"read orders://ledger":         "!",
		`prompt summary {"order":"7"}`: "Summarise 7",
	})
	if connected := find(t, events, "connected", "orders"); connected.Text("version") != "2025-11-25" {
		t.Errorf("expected version 2025-11-25, got %v", connected)
	}

	// Step-up: the scopes of the operation, one login more, no more than that.
	refused := find(t, events, "status", "403")
	holds(t, refused.Text("challenge"), `error="insufficient_scope"`, `scope="orders:read refunds:write"`, `resource_metadata="`+metadata+`"`)
	var scopes []string
	for _, e := range events {
		if e["token"] != nil {
			scopes = append(scopes, e.Text("scope"))
		}
	}
	if !slices.Equal(scopes, []string{"orders:read", "orders:read refunds:write"}) {
		t.Errorf("expected one step-up, got tokens for %q", scopes)
	}
	if e := find(t, events, "step", dearStep); e.Text("code") != "403" {
		t.Errorf("expected 403 for a refund over the limit, got %v", e)
	}
}

func TestTheOfficialMCPClientComesWithAMetadataDocumentForAnID(t *testing.T) {
	s := suite.useMCP(t)
	var documents *httptest.Server
	id := func() string { return documents.URL + "/agent.json" }
	documents = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"client_id": id(), "client_name": "agent", "redirect_uris": []string{"http://127.0.0.1:9/callback"},
			"grant_types": []string{"authorization_code"}, "response_types": []string{"code"}, "token_endpoint_auth_method": "none",
		})
	}))
	pair, err := s.ca.Server()
	must(t, err)
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	must(t, err)
	documents.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	documents.StartTLS()
	defer documents.Close()

	events := s.runAgent(t, s.orders.HTTPS()+"/mcp", []string{searchStep}, "CLIENT_METADATA_URL="+id())
	results(t, events, map[string]string{searchStep: "alice"})
	if e := find(t, events, "grant", "authorization_code"); e.Text("clientId") != id() {
		t.Errorf("expected the client's id to be its URL, got %v", e)
	}
	for _, e := range events {
		if strings.HasSuffix(e.Text("fetch"), "/reg") {
			t.Error("it registered itself")
		}
	}
}

func TestTheOfficialMCPClientIsServedWithOpaqueTokens(t *testing.T) {
	s := suite.useMCP(t)
	events := s.runAgent(t, s.orders.HTTPS()+"/opaque", []string{searchStep, refundStep, dearStep, deleteStep})
	if token := find(t, events, "token", "Bearer"); token.Text("jwt") != "false" {
		t.Errorf("expected an opaque token, got %v", token)
	}
	results(t, events, map[string]string{searchStep: `"agent":"alice"`, refundStep: `"refunded":50`, dearStep: "!", deleteStep: "!"})
}

// The Go SDK speaks 2026-07-28 with its own server: requests without a session, with Mcp-Method and Mcp-Name.
func TestTheGoSDKIsServedInEveryVersionItSpeaks(t *testing.T) {
	s := suite.useMCP(t)
	const search, refund, dear, gone = `search_orders {"query":"pears"}`, `refund {"order":"7","amount":50}`, `refund {"order":"7","amount":500}`, `delete_everything {}`
	agent := func(url, resource, scope, version string) []parts.Event {
		t.Helper()
		run, err := parts.RunMCP(t.Context(), s.program, []string{listStep, search, refund, dear, gone},
			"MCP_URL="+url, "MCP_TOKEN="+s.token(t, resource, scope), "MCP_VERSION="+version, "SSL_CERT_FILE="+filepath.Join(s.dir, "ca.crt"))
		return happened(t, run, err)
	}
	newest := localhost(s.newest.HTTPSPort) + "/newest"
	for _, c := range []struct{ url, version string }{
		{newest, "2026-07-28"}, {newest, "2025-06-18"},
		{localhost(s.orders.HTTPSPort) + "/mcp", "2025-11-25"}, {localhost(s.orders.HTTPSPort) + "/mcp", "2025-03-26"},
	} {
		events := agent(c.url, c.url, "orders:read refunds:write", c.version)
		if got := find(t, events, "connected", "orders").Text("version"); got != c.version {
			t.Errorf("%s: expected version %s, got %s", c.url, c.version, got)
		}
		results(t, events, map[string]string{listStep: "refund", search: "an order of pears", refund: "50", dear: "!Forbidden", gone: "!Forbidden"})
		headers := find(t, events[1:], "status", "200")
		if sent := headers.Text("method") != ""; sent != (c.version == "2026-07-28") {
			t.Errorf("%s: mcp-method was sent: %t", c.version, sent)
		}
	}
	events := agent(newest, newest, "orders:read", "2026-07-28")
	results(t, events, map[string]string{search: "for agent", refund: "!Forbidden"})
}
