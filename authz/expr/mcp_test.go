package expr

import (
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/mcp"
)

func mcpInput(t *testing.T, body string) *Input {
	t.Helper()
	r, err := authz.NewRequest(authz.Raw{Method: "POST", Scheme: "https", Host: "mcp.example.com", Path: "/", Body: []byte(body), BodyKnown: true})
	if err != nil {
		t.Fatal(err)
	}
	c, err := mcp.Read(r, false)
	if err != nil {
		t.Fatal(err)
	}
	return &Input{Request: r, MCP: c}
}

const (
	aCall     = `{"jsonrpc":"2.0","id":"x1","method":"tools/call","params":{"name":"refund","arguments":{"amount":12,"half":0.5,"huge":18446744073709551617,"to":{"name":"Ann"},"list":[1,2]}}}`
	aList     = `{"jsonrpc":"2.0","id":5,"method":"tools/list"}`
	aRead     = `{"jsonrpc":"2.0","id":5,"method":"resources/read","params":{"uri":"file:///a"}}`
	aListener = `{"jsonrpc":"2.0","id":5,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a:b","a:c"]}}}`
)

func TestTheCallOfAServerOfMCPIsRead(t *testing.T) {
	for src, body := range map[string]string{
		`mcp.method == "tools/call" && mcp.tool == "refund" && mcp.id == "x1"`:                       aCall,
		`mcp.prompt == "" && mcp.resource == "" && !has(mcp.prompt) && !has(mcp.resource)`:           aCall,
		`mcp.arguments.amount < 100 && mcp.arguments.amount < 12.5 && mcp.arguments.amount == 12`:    aCall,
		`mcp.arguments.half < 1 && mcp.arguments.half < 1.0`:                                         aCall,
		`mcp.arguments.huge > 9223372036854775807`:                                                   aCall,
		`mcp.arguments.to.name == "Ann" && "amount" in mcp.arguments && 2 in mcp.arguments.list`:     aCall,
		`has(mcp.arguments.amount) && !has(mcp.arguments.other) && has(mcp.arguments)`:               aCall,
		`mcp.arguments.?other.orValue(7) == 7 && mcp.?tool.orValue("") == "refund"`:                  aCall,
		`mcp.arguments.all(k, k.size() < 10) && dyn(mcp).tool == "refund" && mcp == mcp`:             aCall,
		`mcp.tool == "" && mcp.id == "5" && !has(mcp.arguments) && !has(mcp.arguments.amount)`:       aList,
		`mcp.resource == "file:///a" && has(mcp.resource) && mcp.resource.startsWith("file:///")`:    aRead,
		`has(mcp.resource) && mcp.method == "subscriptions/listen"`:                                  aListener,
		`["refund", "other"].exists(n, n == mcp.tool) && mcp.arguments.list.exists(i, i == 2)`:       aCall,
		`request.method == "POST" && (mcp.tool in ["refund"] || identity.subject == "nobody is it")`: aCall,
	} {
		p, err := Compile(Bool, src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		in := mcpInput(t, body)
		if holds, err := p.Bool(t.Context(), in); !holds || err != nil {
			t.Errorf("%s: got %v, %v", src, holds, err)
		}
		if !p.ReadsMCP() || p.ReadsArguments() != strings.Contains(src, "arguments") {
			t.Errorf("%s: reads mcp %v, arguments %v", src, p.ReadsMCP(), p.ReadsArguments())
		}
		// What is evaluated directly has CEL's value.
		if holds, ok := p.DirectBool(in); ok && !holds {
			t.Errorf("%s: the direct evaluation says something else", src)
		}
	}
}

func TestWhatIsNotThereOfACallIsAnError(t *testing.T) {
	for src, body := range map[string]string{
		`mcp.arguments.other < 1`:                aCall,
		`mcp.arguments.to < 1`:                   aCall,
		`mcp.arguments.amount.startsWith("1")`:   aCall,
		`mcp.arguments.amount < 1`:               aList,
		`mcp.resource == "a:b"`:                  aListener,
		`mcp.arguments.a == 1`:                   `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"n","arguments":{"a":1,"A":2}}}`,
		`!has(mcp.arguments.b)`:                  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"n","arguments":{"a":1,"A":2}}}`,
		`mcp.arguments.s == "x"`:                 `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"n","arguments":{"s":"` + strings.Repeat("x", MaxClaim+1) + `"}}}`,
		`mcp.arguments.l.exists(i, i == "none")`: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"n","arguments":{"l":[0` + strings.Repeat(",1", maxEntries) + `]}}}`,
	} {
		p, err := Compile(Bool, src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		holds, err := p.Bool(t.Context(), mcpInput(t, body))
		if holds || err == nil {
			t.Errorf("%s: got %v, expected an error", src, holds)
		}
	}
}

func TestWithoutACallReadingItIsAnError(t *testing.T) {
	for _, src := range []string{`mcp.method == ""`, `!has(mcp.tool)`, `mcp.arguments.size() == 0`} {
		p, err := Compile(Bool, src)
		if err != nil {
			t.Fatal(err)
		}
		in := mcpInput(t, aList)
		in.MCP = nil
		if holds, err := p.Bool(t.Context(), in); holds || err == nil {
			t.Errorf("%s: got %v, %v", src, holds, err)
		}
	}
}

func TestACallHasTypes(t *testing.T) {
	for src, want := range map[string]string{
		`mcp.tools == "x"`:           "did you mean tool?",
		`mcp.method == 1`:            "no matching overload",
		`mcp.arguments == "x"`:       "no matching overload",
		`mpc.tool == "x"`:            "did you mean 'mcp'?",
		`mcp.name == "x"`:            "fields are arguments, id, method, prompt, resource, tool",
		`mcp["tool"] == "x"`:         "no matching overload",
		`mcp.tool.matches(mcp.tool)`: "literal",
	} {
		if _, err := Compile(Bool, src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, wanted %q", src, err, want)
		}
	}
	if _, err := Compile(Subject, `mcp.tool`); err == nil {
		t.Error("a mapping of claims reads mcp")
	}
	if _, err := Compile(String, `mcp.id`); err != nil {
		t.Error(err)
	}
}

func TestACallIsShown(t *testing.T) {
	p, err := Compile(Bool, `mcp.tool == "x" && mcp.arguments.amount < 1 && mcp.arguments.token == "" && "a" in mcp.arguments`)
	if err != nil {
		t.Fatal(err)
	}
	in := mcpInput(t, strings.Replace(aCall, `"half"`, `"token":"hidden","half"`, 1))
	shown := p.Shown(in, Hidden{Name: func(_, name string) bool { return name == "token" }, Text: func(string) bool { return false }})
	want := []string{`mcp.tool is "refund"`, `mcp.arguments.amount is 12`, `mcp.arguments.token is not shown, since it may hold a credential`, `"a" in mcp.arguments is false`}
	if strings.Join(shown, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q", shown)
	}
}
