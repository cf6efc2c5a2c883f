package mcp

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/agentauth-dev/agentauth/authz"
)

// lenient is a message as a server may read it that takes any letter case, the last
// of two names, and what comes before something else.
type lenient struct {
	Method string
	Params struct {
		Name string
		URI  string
		Ref  struct{ Type, Name, URI string }
	}
}

// readers are ways in which servers read a body.
var readers = map[string]func(body []byte) (lenient, error){
	"encoding/json": func(body []byte) (m lenient, err error) { return m, json.Unmarshal(body, &m) },
	"the first value of a stream": func(body []byte) (m lenient, err error) {
		return m, json.NewDecoder(bytes.NewReader(body)).Decode(&m)
	},
	"any letter case, the last of two names": func(body []byte) (m lenient, err error) {
		return m, jsonv2.Unmarshal(body, &m, jsonv2.MatchCaseInsensitiveNames(true), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	},
}

// names are what a message names, whatever the letter case of its method.
func (m *lenient) names() []string {
	switch strings.ToLower(m.Method) {
	case "tools/call", "prompts/get":
		return []string{m.Params.Name}
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		return []string{m.Params.URI}
	case complete:
		if m.Params.Ref.Type == "ref/prompt" {
			return []string{m.Params.Ref.Name}
		}
		return []string{m.Params.Ref.URI}
	}
	return nil
}

func FuzzNoLenientReaderSeesAnotherCall(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","arguments":{"a":[1,{"b":null}]}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"ping","\u006dethod":"tools/call","params":{"name":"refund"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","Name":"refund"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a"},"paramſ":{"uri":"b"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"p","na_me":"q"}}`,
		`{"jsonrpc":"2.0","id":"x","method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p","TYPE":"ref/resource"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}{"method":"tools/call"}`,
		`[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe"}}]`,
		`{"jsonrpc":"2.0","id":1,"result":{},"Method":"tools/call","params":{"name":"refund"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"TOOLS/CALL","params":{"name":"refund"}}`,
		"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := authz.NewRequest(authz.Raw{Method: "POST", Scheme: "https", Host: "a.example", Path: "/", Body: body, BodyKnown: true})
		if err != nil {
			t.Skip()
		}
		c, err := Read(r, false)
		if err != nil {
			return
		}
		for how, read := range readers {
			m, err := read(body)
			if err == nil && (m.Method != c.Method || c.Method != listen && !slices.Equal(m.names(), c.Names())) {
				t.Errorf("%s: read is %s %q, a server may read %s %q", how, c.Method, c.Names(), m.Method, m.names())
			}
		}
		_, _ = c.Arguments() // does not panic
	})
}
