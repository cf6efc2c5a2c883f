package engine

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// toolServer is a policy of an MCP server on a host.
func toolServer(host string) *v1alpha1.AgentAuthPolicy {
	p := onHost("server", host, anonymous())
	p.Spec.MCP = &v1alpha1.MCP{Resource: "https://" + host, AuthorizationServers: []string{"https://idp.example.com"},
		Tools: []v1alpha1.MCPRule{{Names: []string{"safe"}, Require: "mcp.tool == 'safe'"}}}
	return p
}

func TestOnlyAPolicyOfAServerOfMCPReadsCalls(t *testing.T) {
	reading := func(change func(*v1alpha1.AgentAuthPolicy)) (invalid bool, told string) {
		p := toolServer("mcp.example.com")
		change(p)
		e, _ := newWorld(Options{})
		_, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
		for _, r := range reports {
			for _, problem := range r.Problems {
				invalid = invalid || problem.Severity.Fatal()
				told += problem.Field + ": " + problem.Message + "\n"
			}
		}
		return invalid, told
	}
	for name, write := range map[string]func(*v1alpha1.PolicySpec){
		"spec.authorization.rules[0].when": func(s *v1alpha1.PolicySpec) {
			s.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{{Name: "a", When: "mcp.tool == 'x'", Require: "true"}}}
		},
		"spec.response.upstream.headers[0].value": func(s *v1alpha1.PolicySpec) {
			s.Response = &v1alpha1.Response{Upstream: &v1alpha1.Upstream{Headers: []v1alpha1.UpstreamHeader{{Name: "x-tool", Value: "mcp.tool"}}}}
		},
		"spec.response.metadata[tool]": func(s *v1alpha1.PolicySpec) {
			s.Response = &v1alpha1.Response{Metadata: map[string]v1alpha1.Expression{"tool": "mcp.tool"}}
		},
	} {
		if invalid, told := reading(func(p *v1alpha1.AgentAuthPolicy) { write(&p.Spec) }); invalid {
			t.Errorf("%s: with spec.mcp: %s", name, told)
		}
		invalid, told := reading(func(p *v1alpha1.AgentAuthPolicy) { write(&p.Spec); p.Spec.MCP = nil })
		if !invalid || !strings.Contains(told, name+": reads mcp, which only a policy with spec.mcp has") {
			t.Errorf("%s: without: %v, %s", name, invalid, told)
		}
	}
	if invalid, told := reading(func(p *v1alpha1.AgentAuthPolicy) { p.Spec.MCP.Tools[0].Require = "mcp.tools == 1" }); !invalid || !strings.Contains(told, "spec.mcp.tools[0].require: 1:4: undefined field") {
		t.Errorf("an entry that does not compile: %v, %s", invalid, told)
	}
}

func TestTheOperatorMayTrustTheProxysReading(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		for tool, want := range map[string]authz.Reason{"safe": authz.Allowed, "refund": authz.MCPNotAllowed} {
			if !trusted {
				want = authz.MCPBodyMissing
			}
			e, _ := newWorld(Options{TrustMCPMetadata: trusted})
			load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{toolServer("mcp.example.com")}})
			raw := get("mcp.example.com", "/")
			raw.Method = "POST"
			raw.Metadata = authz.MetadataMap{"envoy.filters.http.mcp": map[string]any{"is_mcp_request": true, "jsonrpc": "2.0", "method": "tools/call",
				"id": 1.0, "params": map[string]any{"name": tool}, "status": "mcp_ok"}}
			if d := e.Decide(t.Context(), raw); d.Reason != want {
				t.Errorf("trusted %v, %s: got %s (%s), wanted %s", trusted, tool, d.Reason, d.Detail, want)
			}
		}
	}
}
