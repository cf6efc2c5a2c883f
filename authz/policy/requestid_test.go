package policy

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/mcp"
)

func FuzzAProblemGetsOneMemberAtMost(f *testing.F) {
	for _, id := range []string{"", "5b0a1e7c-53d0-4ac5-9f0e-6b0f7b1d2a3c", `","status":200,"x":"`, `\`, "a b", "\n", "é", "\xff", strings.Repeat("x", 128), strings.Repeat("x", 129)} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		plain := sendCredential.plain.body
		d := authz.Decision{Body: plain, Problem: true}
		TellRequestID(&d, id)
		var got struct {
			plainDetails
			RequestID *string `json:"requestId"`
		}
		if err := json.Unmarshal([]byte(d.Body), &got, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%s: %v", d.Body, err)
		}
		told := id != "" && len(id) <= 128 && !strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' })
		switch {
		case !told && d.Body != plain:
			t.Errorf("got %s", d.Body)
		case told && (got.RequestID == nil || *got.RequestID != id || !strings.HasPrefix(d.Body, plain[:len(plain)-1])):
			t.Errorf("got %s", d.Body)
		}
		literal := authz.Decision{Body: plain}
		if TellRequestID(&literal, id); literal.Body != plain {
			t.Errorf("a text of the policy became %s", literal.Body)
		}
	})
}

func TestAnErrorOfMCPNamesTheRequest(t *testing.T) {
	e := &mcp.Error{ID: `"7"`, Code: -32600}
	for id, want := range map[string]string{"": `{"jsonrpc":"2.0","id":"7","error":{"code":-32600,"message":""}}`, "a b": `{"jsonrpc":"2.0","id":"7","error":{"code":-32600,"message":""}}`,
		`r"1`: `{"jsonrpc":"2.0","id":"7","error":{"code":-32600,"message":"","data":{"requestId":"r\"1"}}}`} {
		if got := rpcError(e, id); got != want {
			t.Errorf("%q: got %s", id, got)
		}
	}
}
