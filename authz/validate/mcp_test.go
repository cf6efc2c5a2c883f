package validate

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// mcpServer is a policy for an MCP server on some hosts.
func mcpServer(resource string, hostnames ...v1alpha1.Hostname) *v1alpha1.AgentAuthPolicy {
	return Default(&v1alpha1.AgentAuthPolicy{ObjectMeta: metav1.ObjectMeta{Name: "tools"}, Spec: v1alpha1.PolicySpec{
		Routes:         []v1alpha1.Route{{Hostnames: hostnames}},
		Authentication: v1alpha1.Authentication{Methods: []v1alpha1.Method{{Name: "idp", JWT: &v1alpha1.JWT{Issuer: "https://idp.example.com"}}}},
		MCP:            &v1alpha1.MCP{Resource: resource, AuthorizationServers: []string{"https://idp.example.com"}},
	}})
}

func TestAResourceIsCanonicalAndOnAHostOfThePolicy(t *testing.T) {
	for _, good := range []string{
		"https://mcp.example.com", "https://mcp.example.com/", "https://mcp.example.com/mcp", "https://mcp.example.com:8443/a/b", "https://mcp.example.com/.well",
		"https://mcp.example.com/...", "https://mcp.example.com/a~b_c-d.e,f;"[:len("https://mcp.example.com/a~b_c-d.e,f")], "https://mcp.example.com:4430/mcp",
	} {
		if got := Policy(mcpServer(good, "mcp.example.com")); len(got) > 0 {
			t.Errorf("%s: expected no problem, got %v", good, got)
		}
	}
	for _, wrong := range []string{
		"", "mcp.example.com/mcp", "http://mcp.example.com/mcp", "HTTPS://mcp.example.com/mcp", "https://MCP.example.com/mcp", "https://mcp.example.com./mcp",
		"https://mcp.example.com:443/mcp", "https://mcp.example.com:443", "https://mcp.example.com:0443/mcp", "https://mcp.example.com:99999999/mcp", "https://mcp.example.com:/mcp",
		"https://mcp.example.com/mcp/", "https://mcp.example.com//", "https://mcp.example.com/./mcp", "https://mcp.example.com/a/..", "https://mcp.example.com/..", "https://mcp.example.com/a/./b",
		"https://mcp.example.com/mcp?x", "https://mcp.example.com/mcp#x", "https://u:p@mcp.example.com/mcp", "https://mcp.example.com/m%2fp", "https://mcp.example.com/a b", "https://mcp.example.com/a;b",
		"https://mcp.example.com/a\\b", `https://mcp.example.com/a"b`, "https://mcp.example.com/é", "https://[::1]/mcp", "https://mcp.example.com/mcp\n", "https://other.example.com/mcp", "https://a.mcp.example.com/mcp",
		"https://mcp.example.com/" + strings.Repeat("a", 2048),
	} {
		if got := refusalsAt(mcpServer(wrong, "mcp.example.com"), "spec.mcp.resource"); len(got) != 1 {
			t.Errorf("%q: expected one problem of the resource, got %v", wrong, got)
		}
	}
}

func refusalsAt(p *v1alpha1.AgentAuthPolicy, at string) []authz.Problem {
	return slices.DeleteFunc(Policy(p), func(p authz.Problem) bool { return !p.Severity.Fatal() || p.Field != at })
}

func TestAResourceMayBeOnAHostOfAWildcard(t *testing.T) {
	for host, good := range map[v1alpha1.Hostname]bool{"*.example.com": true, "*": true, "*.b.example.com": false, "example.com": false} {
		if got := refusalsAt(mcpServer("https://a.b.c.example.com/mcp", "other.example.org", host), "spec.mcp.resource"); (len(got) == 0) != good {
			t.Errorf("%s: expected good %v, got %v", host, good, got)
		}
	}
}

func TestTokensOfAnMCPServerAreForItsResource(t *testing.T) {
	const resource = "https://mcp.example.com/mcp"
	for name, c := range map[string]struct {
		audiences []string
		any, good bool
	}{
		"none":             {good: true},
		"the resource":     {audiences: []string{resource}, good: true},
		"others too":       {audiences: []string{"orders", resource}, good: true},
		"only others":      {audiences: []string{"orders"}},
		"a slash more":     {audiences: []string{resource + "/"}},
		"its origin":       {audiences: []string{"https://mcp.example.com"}},
		"any":              {any: true},
		"any and resource": {audiences: []string{resource}, any: true},
	} {
		p := mcpServer(resource, "mcp.example.com")
		p.Spec.Authentication.Methods[0].JWT.Audiences, p.Spec.Authentication.Methods[0].JWT.AnyAudience = c.audiences, c.any
		p.Spec.Authentication.Methods = append(p.Spec.Authentication.Methods, v1alpha1.Method{Name: "opaque", Requirement: v1alpha1.Sufficient, Introspection: &v1alpha1.Introspection{
			Endpoint: "https://idp.example.com/introspect", Audiences: c.audiences, AnyAudience: c.any,
			ClientCredentials: v1alpha1.ClientCredentials{SecretRef: v1alpha1.ObjectReference{Name: "client"}, Authentication: v1alpha1.ClientBasic},
		}})
		if got := Policy(p); (len(got) == 0) != c.good || !c.good && len(got) != 2 {
			t.Errorf("%s: expected good %v of both methods, got %v", name, c.good, got)
		}
		if !c.good {
			continue
		}
		DefaultAudiences(&p.Spec)
		for i, audiences := range [][]string{p.Spec.Authentication.Methods[0].JWT.Audiences, p.Spec.Authentication.Methods[1].Introspection.Audiences} {
			if !slices.Contains(audiences, resource) || len(audiences) != max(1, len(c.audiences)) {
				t.Errorf("%s, method %d: expected the resource among the audiences, got %v", name, i, audiences)
			}
		}
	}
}

func TestWithoutMCPNoAudienceIsAdded(t *testing.T) {
	p := mcpServer("https://mcp.example.com/mcp", "mcp.example.com")
	p.Spec.MCP = nil
	DefaultAudiences(&p.Spec)
	if got := p.Spec.Authentication.Methods[0].JWT.Audiences; got != nil {
		t.Errorf("expected no audience, got %v", got)
	}
	if got := Policy(p); len(got) != 1 || !strings.Contains(got[0].Message, "exactly one of audiences and anyAudience") {
		t.Errorf("expected a problem of the audience, got %v", got)
	}
}

func TestAnAuthorizationServerWhoseTokensNoMethodTakesIsWarnedOf(t *testing.T) {
	for name, c := range map[string]struct {
		issuer string
		any    bool
		warned int
	}{
		"the issuer":   {issuer: "https://idp.example.com"},
		"a slash more": {issuer: "https://idp.example.com/", warned: 1},
		"any issuer":   {any: true},
	} {
		p := mcpServer("https://mcp.example.com/mcp", "mcp.example.com")
		j := p.Spec.Authentication.Methods[0].JWT
		if j.Issuer, j.AnyIssuer = c.issuer, c.any; c.any {
			j.JWKS = &v1alpha1.JWKS{URI: "https://idp.example.com/jwks"}
		}
		got := Policy(p)
		if len(got) != c.warned || c.warned > 0 && got[0].Lint != authz.UnknownAuthorizationServer {
			t.Errorf("%s: expected %d warnings, got %v", name, c.warned, got)
		}
	}
}
