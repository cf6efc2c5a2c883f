package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// tools is the MCP server of the demo: a real one behind an Envoy of its own, for the agent that finds its way, and the
// upstream behind the same policy, for calls that are looked at one by one.
type tools struct {
	provider *parts.OIDC // where people log in; MCP wants it to have TLS
	resource string
	port     int
}

//go:embed mcp.yaml
var toolsPolicy string

// openTools starts the provider, and writes the policy.
func (s *stage) openTools(ctx context.Context, policies string) (err error) {
	dir := filepath.Join(s.Dir, "mcp")
	if err := os.Mkdir(dir, 0o750); err != nil {
		return err
	}
	pair, err := s.ca.Server()
	if err != nil {
		return err
	}
	files := new(parts.Files)
	if files.Cert, files.Key, err = pair.Write(dir, "idp"); err != nil {
		return err
	}
	if s.tools.port, err = parts.FreePort(); err != nil {
		return err
	}
	s.tools.resource = fmt.Sprintf("https://localhost:%d/tools", s.tools.port)
	const scopes = "orders:read refunds:write"
	if s.tools.provider, err = parts.StartOIDC(ctx, parts.OIDCConfig{
		Dir: dir, TLS: files, CA: s.ca, People: true,
		Clients:   []parts.OIDCClient{{ID: "orders-agent", Secret: clientSecret, Scope: scopes}},
		Resources: []parts.OIDCResource{{Audience: s.tools.resource, Scope: scopes}},
	}); err != nil {
		return err
	}
	s.Ends(s.tools.provider.Stop)
	policy := strings.NewReplacer("@CA@", strings.ReplaceAll(string(s.ca.PEM), "\n", `\n`), "@ISSUER@", s.tools.provider.Issuer, "@RESOURCE@", s.tools.resource).Replace(toolsPolicy)
	return os.WriteFile(filepath.Join(policies, "tools.yaml"), []byte(policy), 0o600)
}

// serveTools starts the MCP server, and an Envoy before it.
func (s *stage) serveTools(ctx context.Context, config parts.EnvoyConfig) error {
	server, err := parts.StartMCPServer(ctx, config.Dir)
	if err != nil {
		return err
	}
	s.Ends(server.Stop)
	config.Dir, config.Upstream, config.HTTPSPort = filepath.Join(s.Dir, "mcp"), server.Address, s.tools.port
	envoy, err := parts.StartEnvoy(ctx, config)
	if err != nil {
		return err
	}
	s.Ends(envoy.Stop)
	return nil
}

func toolsScenes(s *stage) []scene {
	const where = "POST https /tools "
	return []scene{
		{who: "mcp-client.mjs (MCP SDK)", with: "nothing but " + s.tools.resource, do: s.findTheWay},
		{who: "anybody", with: "nothing", asks: "GET https /.well-known/oauth-protected-resource/tools", status: 200, reason: "MetadataServed", answered: true,
			call: s.get("/.well-known/oauth-protected-resource/tools")},
		{who: "orders-agent", with: "nothing", asks: where + "search_orders", status: 401, reason: "NoCredential",
			call: s.callTool("", "search_orders", `{"query":"pears"}`)},
		{who: "orders-agent", with: "a token to read", asks: where + "search_orders", status: 200, reason: "Allowed",
			call: s.callTool("orders:read", "search_orders", `{"query":"pears"}`), upstream: as("orders-agent", "agents")},
		{who: "orders-agent", with: "a token to read", asks: where + "refund, 50", status: 403, reason: "InsufficientScope",
			call: s.callTool("orders:read", "refund", `{"order":"7","amount":50}`)},
		{who: "orders-agent", with: "a token to refund too", asks: where + "refund, 50", status: 200, reason: "Allowed",
			call: s.callTool("orders:read refunds:write", "refund", `{"order":"7","amount":50}`), upstream: as("orders-agent", "agents")},
		{who: "orders-agent", with: "a token to refund too", asks: where + "refund, 500", status: 403, reason: "RuleDenied",
			call: s.callTool("orders:read refunds:write", "refund", `{"order":"7","amount":500}`)},
		{who: "orders-agent", with: "a token to refund too", asks: where + "delete_everything", status: 403, reason: "MCPNotAllowed",
			call: s.callTool("orders:read refunds:write", "delete_everything", `{}`)},
	}
}

// callTool is a call with a token for scopes, or without one.
func (s *stage) callTool(scopes, tool, arguments string) func(context.Context) (answer, error) {
	return func(ctx context.Context) (answer, error) {
		headers := []string{"content-type", "application/json"}
		if scopes != "" {
			token, err := s.tools.provider.Token(ctx, s.tools.resource, scopes)
			if err != nil {
				return answer{}, err
			}
			headers = append(headers, "authorization", "Bearer "+token)
		}
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, tool, arguments)
		return send(ctx, s.client, http.MethodPost, s.https+"/tools", body, headers...)
	}
}

// findTheWay runs an agent that is given a URL, and says how it came to its end.
func (s *stage) findTheWay(ctx context.Context) (string, error) {
	const search, refund, dear, gone = `call search_orders {"query":"pears"}`, `call refund {"order":"7","amount":50}`, `call refund {"order":"7","amount":500}`, "call delete_everything"
	run, err := parts.RunClientWith(ctx, "mcp-client.mjs", []string{search, refund, dear, gone}, "MCP_URL="+s.tools.resource, "NODE_EXTRA_CA_CERTS="+s.caFile)
	if err != nil {
		return "", err
	}
	events, err := run.Events()
	if err != nil {
		return "", err
	}
	var way []string
	for _, e := range events {
		if what := shown(e); what != "" && (what != "metadata" || !slices.Contains(way, what)) {
			way = append(way, what)
		}
	}
	said := strings.Join(way, ", ")
	const want = "401, metadata, registers, logs in for orders:read, search_orders served, 403, logs in for orders:read refunds:write, refund served, 403, refund refused, 403, delete_everything refused"
	if said != want {
		err = errors.New("expected: " + want)
	}
	records, failed := s.agentauth.Records()
	s.records = len(records) // the agent's own
	return said, errors.Join(err, failed)
}

// shown is what the table says of something that happened to the agent.
func shown(e parts.Event) string {
	url, status := e.Text("fetch"), e.Text("status")
	switch _, tool, _ := strings.Cut(e.Text("step"), " "); {
	case e["step"] != nil:
		tool, _, _ = strings.Cut(tool, " ")
		if e["error"] != nil {
			return tool + " refused"
		}
		return tool + " served"
	case strings.Contains(e.Text("challenge"), "Bearer"), status == "403":
		return status
	case strings.HasSuffix(url, "/reg"):
		return "registers"
	case e["authorize"] != nil:
		return "logs in for " + e.Text("scope")
	case strings.Contains(url, "oauth-protected-resource"):
		return "metadata"
	}
	return ""
}
