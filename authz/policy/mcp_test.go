package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/mcp"
)

func require(t *testing.T, src string) *expr.Program {
	t.Helper()
	p, err := expr.Compile(expr.Bool, src)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// serverOf is a policy of an MCP server that anybody may call.
func serverOf(m MCP) *Policy {
	return New(Config{Name: "shop/server", Resource: &Resource{MetadataURL: metadataURL("https://mcp.example.com/mcp")}, Methods: []Method{{Name: "public", Authenticator: &authn.Anonymous{}}}, MCP: &m})
}

func asks(t *testing.T, p *Policy, body string) (authz.Decision, *authz.Trace) {
	t.Helper()
	r, err := authz.NewRequest(authz.Raw{Method: "POST", Scheme: "https", TLS: true, Host: "mcp.example.com", Path: "/mcp", Body: []byte(body), BodyKnown: true})
	if err != nil {
		t.Fatal(err)
	}
	trace := &authz.Trace{}
	return p.Decide(t.Context(), r, Host{}, trace), trace
}

func callOfTool(name string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + name + `"}}`
}

func TestALongBodyWaitsForItsTurn(t *testing.T) {
	p := serverOf(MCP{})
	if d, _ := asks(t, p, callOfTool("a")); d.Outcome != authz.Allow {
		t.Errorf("a short one: got %+v", d)
	}
	// No scheduler gives turns here.
	long := callOfTool("a") + strings.Repeat(" ", 512<<10)
	if d, _ := asks(t, p, long); d.Reason != authz.Overloaded || d.Status != 503 {
		t.Errorf("a long one: got %+v", d)
	}
	// What is too long is not read at all.
	if d, _ := asks(t, p, callOfTool("a")+strings.Repeat(" ", mcp.MaxBody)); d.Reason != authz.MCPBodyMissing {
		t.Errorf("one that is too long: got %+v", d)
	}
}

func TestManyResourcesAmongManyNamesWaitForTheirTurn(t *testing.T) {
	var entries []MCPEntry
	for range 64 {
		e := MCPEntry{Name: "mcp.resources[0]", Names: slices.Repeat([]string{"file:///a/b*"}, 64)}
		entries = append(entries, e)
	}
	p := serverOf(MCP{Resources: entries})
	listen := func(n int) string {
		return `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["file:///a/b"` +
			strings.Repeat(`,"file:///a/b"`, n-1) + `]}}}`
	}
	if d, _ := asks(t, p, listen(1)); d.Outcome != authz.Allow {
		t.Errorf("one: got %+v", d)
	}
	if cost := 64 * 64 * 64 * perName; cost <= 2e6 {
		t.Errorf("64 resources are estimated at %v, less than may run unmeasured", cost)
	}
}

func TestEachResourceIsOneToItsEntries(t *testing.T) {
	p := serverOf(MCP{Resources: []MCPEntry{{Name: "mcp.resources[0]", Names: []string{"a:*"}, Require: require(t, `mcp.resource != "a:secret"`)}}})
	body := func(uris string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":[` + uris + `]}}}`
	}
	if d, _ := asks(t, p, body(`"a:1","a:2"`)); d.Outcome != authz.Allow {
		t.Errorf("got %+v", d)
	}
	if d, _ := asks(t, p, body(`"a:1","a:secret"`)); d.Reason != authz.RuleDenied || d.Rule != "mcp.resources[0]" {
		t.Errorf("got %+v", d)
	}
}

func TestATraceSaysWhatIsCalledAndWhichEntriesNameIt(t *testing.T) {
	p := serverOf(MCP{Tools: []MCPEntry{{Name: "mcp.tools[0]", Names: []string{"a*"}}, {Name: "mcp.tools[1]", Names: []string{"ab"}, Require: require(t, `mcp.arguments.n == 1`)}}})
	for body, want := range map[string]string{
		callOfTool("ab"): `tools/call "ab"|tools/call "ab" is named by mcp.tools[0], mcp.tools[1]`,
		callOfTool("x"):  `tools/call "x"|no entry of mcp.tools names the tool "x"`,
		`{"jsonrpc":"2.0","id":1,"method":"ping"}`:         `ping|ping: no entry names it, so authentication is enough`,
		`{"jsonrpc":"2.0","id":1,"result":{}}`:             `no method|no method: no entry names it, so authentication is enough`,
		callOfTool(strings.Repeat("long", 1000)):           `tools/call "longlong`,
		`{"jsonrpc":"2.0","id":1,"method":"ping","id":12}`: `|the body has a name twice`,
	} {
		_, trace := asks(t, p, body)
		if !slices.ContainsFunc(trace.Steps, func(s authz.Step) bool {
			return s.Stage == authz.StageMCP && strings.HasPrefix(s.Read+"|"+s.Detail, want) && len(s.Read)+len(s.Detail) < 1000
		}) {
			t.Errorf("%.80s: got %+v", body, trace.Steps)
		}
	}
}

func TestAMethodsListIsForWhatNamesNothing(t *testing.T) {
	p := serverOf(MCP{Methods: []MCPEntry{{Name: "mcp.methods[0]", Names: []string{"*"}, Require: require(t, "false")}}})
	for body, want := range map[string]authz.Reason{
		callOfTool("a"): authz.Allowed,
		`{"jsonrpc":"2.0","id":1,"method":"ping"}`:        authz.RuleDenied,
		`{"jsonrpc":"2.0","method":"notifications/x"}`:    authz.RuleDenied,
		`{"jsonrpc":"2.0","id":1,"result":{}}`:            authz.Allowed,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call2"}`: authz.RuleDenied,
	} {
		if d, _ := asks(t, p, body); d.Reason != want {
			t.Errorf("%s: got %s, wanted %s", body, d.Reason, want)
		}
	}
}
