package mcp

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

// request is a POST with a body; nil is a body that is not known.
func request(t testing.TB, body []byte, headers ...authz.Header) *authz.Request {
	t.Helper()
	r, err := authz.NewRequest(authz.Raw{Method: "POST", Scheme: "https", Host: "mcp.example.com", Path: "/mcp",
		Headers: headers, Body: body, BodyKnown: body != nil})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func withMetadata(t *testing.T, body []byte, m any) *authz.Request {
	t.Helper()
	r := request(t, body)
	r.Metadata = authz.MetadataMap{Namespace: m}
	return r
}

// reasonOf is the reason and code of a refusal.
func reasonOf(t *testing.T, err error) (authz.Reason, int) {
	t.Helper()
	if err == nil {
		return authz.Allowed, 0
	}
	var e *Error
	if !errors.As(err, &e) || e.Error() == "" || e.ID == "" {
		t.Fatalf("got %#v, expected an *Error with a text and an id", err)
	}
	return e.Reason, e.Code
}

func proxyRead(change func(m map[string]any)) map[string]any {
	m := map[string]any{"is_mcp_request": true, "jsonrpc": "2.0", "method": "tools/call", "id": 7.0, "params": map[string]any{"name": "refund"}, "status": "mcp_ok"}
	if change != nil {
		change(m)
	}
	return m
}

func TestTheProxysReadingAloneCountsOnlyWhereItIsTrusted(t *testing.T) {
	r := withMetadata(t, nil, proxyRead(nil))
	_, err := Read(r, false)
	if reason, _ := reasonOf(t, err); reason != authz.MCPBodyMissing {
		t.Errorf("got %v, wanted MCPBodyMissing", err)
	}
	c, err := Read(r, true)
	if err != nil || c.Method != "tools/call" || c.Tool != "refund" || c.ID != "7" || c.Kind != Tool {
		t.Fatalf("got %+v, %v", c, err)
	}
	if _, err := c.Arguments(); err == nil || c.HasArguments() {
		t.Error("arguments that nobody saw can be read")
	}
}

func TestAReadingThatSaysTooLittleIsNone(t *testing.T) {
	for name, m := range map[string]any{
		"no status":           proxyRead(func(m map[string]any) { delete(m, "status") }),
		"another status":      proxyRead(func(m map[string]any) { m["status"] = "mcp_partial" }),
		"no request of MCP":   proxyRead(func(m map[string]any) { m["is_mcp_request"] = false }),
		"a text for a bool":   proxyRead(func(m map[string]any) { m["is_mcp_request"] = "true" }),
		"no jsonrpc":          proxyRead(func(m map[string]any) { delete(m, "jsonrpc") }),
		"no method":           proxyRead(func(m map[string]any) { delete(m, "method") }),
		"no name":             proxyRead(func(m map[string]any) { delete(m, "params") }),
		"a name of no text":   proxyRead(func(m map[string]any) { m["params"] = map[string]any{"name": 1.0} }),
		"a uri for a name":    proxyRead(func(m map[string]any) { m["params"] = map[string]any{"uri": "refund"} }),
		"a completion":        proxyRead(func(m map[string]any) { m["method"] = "completion/complete" }),
		"a listener":          proxyRead(func(m map[string]any) { m["method"] = "subscriptions/listen" }),
		"an empty object":     map[string]any{},
		"nothing":             nil,
		"another letter case": proxyRead(func(m map[string]any) { m["method"] = "Tools/Call" }),
		"no object":           "mcp_ok",
		"a list":              []any{proxyRead(nil)},
	} {
		if c, err := Read(withMetadata(t, nil, m), true); err == nil {
			t.Errorf("%s: got %+v, expected a refusal", name, c)
		}
	}
}

func TestATrustedReadingIsComparedWithHeaders(t *testing.T) {
	r := request(t, nil, authz.Header{Name: "mcp-name", Value: "safe"})
	r.Metadata = authz.MetadataMap{Namespace: proxyRead(nil)}
	_, err := Read(r, true)
	if reason, code := reasonOf(t, err); reason != authz.MCPHeaderMismatch || code != -32020 {
		t.Errorf("got %v", err)
	}
}

func TestABodyCountsMoreThanATrustedReading(t *testing.T) {
	r := withMetadata(t, []byte(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"refund"}}`), proxyRead(func(m map[string]any) {
		m["params"] = map[string]any{"name": "safe"}
	}))
	_, err := Read(r, true)
	if reason, _ := reasonOf(t, err); reason != authz.MCPHeaderMismatch {
		t.Errorf("got %v", err)
	}
}

type unreadable struct{}

func (unreadable) Map() (map[string]any, error) { return nil, errors.New("broken") }

func TestMetadataThatCannotBeReadRefuses(t *testing.T) {
	r := request(t, []byte(`{"jsonrpc":"2.0","id":7,"method":"ping"}`))
	r.Metadata = unreadable{}
	if _, err := Read(r, false); err == nil {
		t.Error("expected a refusal")
	}
}

func TestABodyIsReadUpToOneMebibyte(t *testing.T) {
	message := `{"jsonrpc":"2.0","id":7,"method":"ping"}`
	fits := []byte(message + strings.Repeat(" ", MaxBody-len(message)))
	if _, err := Read(request(t, fits), false); err != nil {
		t.Errorf("one of 1 MiB: %v", err)
	}
	_, err := Read(request(t, append(fits, ' ')), false)
	if reason, _ := reasonOf(t, err); reason != authz.MCPBodyMissing {
		t.Errorf("one byte more: got %v", err)
	}
}

func TestNamesAndIDsAreBounded(t *testing.T) {
	call := func(id, method, name string) []byte {
		return []byte(`{"jsonrpc":"2.0","id":"` + id + `","method":"` + method + `","params":{"name":"` + name + `"}}`)
	}
	for name, c := range map[string]struct {
		body []byte
		code int
	}{
		"the longest of each": {call(strings.Repeat("i", maxID-2), "tools/call", strings.Repeat("n", MaxName)), 0},
		"a long method":       {call("1", strings.Repeat("m", maxMethod), "a"), 0},
		"a longer id":         {call(strings.Repeat("i", maxID-1), "tools/call", "a"), -32600},
		"a longer method":     {call("1", strings.Repeat("m", maxMethod+1), "a"), -32600},
		"a longer name":       {call("1", "tools/call", strings.Repeat("n", MaxName+1)), -32602},
		"65 resources": {[]byte(`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a:b"` +
			strings.Repeat(`,"a:b"`, maxResources) + `]}}}`), -32602},
	} {
		_, err := Read(request(t, c.body), false)
		if _, code := reasonOf(t, err); code != c.code {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestArgumentsAreThoseOfTheBody(t *testing.T) {
	arguments := func(text string) (map[string]any, error) {
		c, err := Read(request(t, []byte(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","arguments":`+text+`}}`)), false)
		if err != nil {
			t.Fatal(err)
		}
		return c.Arguments()
	}
	got, err := arguments(`{"int":9007199254740993,"float":1.5,"exp":1e2,"huge":18446744073709551617,"null":null,"list":[1,null,"\u0061",{"b":true}],"o":{"\u0078":null}}`)
	if err != nil {
		t.Fatal(err)
	}
	if got["int"] != int64(9007199254740993) || got["float"] != 1.5 || got["exp"] != 100.0 || got["huge"] != 18446744073709551617.0 {
		t.Errorf("numbers: %v", got)
	}
	if _, ok := got["null"]; ok || len(got["o"].(map[string]any)) != 0 {
		t.Errorf("null is there: %v", got)
	}
	if list := got["list"].([]any); len(list) != 4 || list[1] != nil || list[2] != "a" {
		t.Errorf("the list is %v", list)
	}
	if _, err := arguments(`{"deep":[{"K":1,"\u212a":2}]}`); err == nil {
		t.Error("two names that Unicode folds to each other are read")
	}
	if _, err := arguments(`{"deep":[{"__pr\u006fto__":{"amount":1000}}]}`); err == nil {
		t.Error("a prototype is read")
	}
	if got, err := arguments(`null`); err != nil || len(got) != 0 {
		t.Errorf("null: %v, %v", got, err)
	}
	long := `{"a":"` + strings.Repeat("x", MaxArguments-len(`{"a":""}`)) + `"}`
	if _, err := arguments(long); err != nil {
		t.Errorf("the longest: %v", err)
	}
	if _, err := arguments(long[:len(long)-2] + `x"}`); err == nil {
		t.Error("longer ones are read")
	}
}

func TestOneResourceOfManyIsACallOfItsOwn(t *testing.T) {
	c, err := Read(request(t, []byte(`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a:b","a:c"]}}}`)), false)
	if err != nil || len(c.Names()) != 2 {
		t.Fatalf("got %+v, %v", c, err)
	}
	if one := c.OfResource("a:c"); len(one.Resources) != 1 || one.Resources[0] != "a:c" || len(c.Resources) != 2 {
		t.Errorf("got %v, and of the whole %v", one.Resources, c.Resources)
	}
}

func TestDotSegmentsAreFoundInEverySpelling(t *testing.T) {
	for uri, want := range map[string]bool{
		"file:///a/b": false, "file:///a/b.c": false, "file:///a/..b": false, "file:///a...": false, "a:b": false, "https://x/?p=../y": false, "https://x/#../y": false,
		"file:///a/../b": true, "file:///a/./b": true, "file:///a/..": true, "file:///a/%2e%2E/b": true, "file:///a%2f..%2fb": true, `file:///a\..\b`: true,
		"file:///a/..;x/b": true, "file:///a%5C..%5cb": true, "..": true,
	} {
		if got := hasDotSegment(uri); got != want {
			t.Errorf("%s: got %v", uri, got)
		}
	}
}

func TestAnErrorHoldsNothingThatCame(t *testing.T) {
	const secret = "s3cr3t"
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"s3cr3t":1,"s3cr3t":2}}`,
		`{"jsonrpc":"2.0","id":1,"method":"s3cr3t s3cr3t"}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"s3cr3t "}}`,
		`{"jsonrpc":"2.0","id":1,"method":s3cr3t}`,
		`{"jsonrpc":"s3cr3t","id":1}`,
	} {
		_, err := Read(request(t, []byte(body)), false)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

func TestAPrototypeIsNoMember(t *testing.T) {
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","__proto__":{"method":"x"},"params":{"name":"a"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","__proto__":{"arguments":{"amount":1000}}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","__pr\u006fto__":{"arguments":{"amount":1000}}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","__proto__":{"x":1}}}}`,
	} {
		if _, err := Read(request(t, []byte(body)), false); err == nil {
			t.Errorf("%s: is let through", body)
		}
	}
}

func TestAnotherMethodUnderAnotherSpellingIsRefused(t *testing.T) {
	for _, name := range []string{"x_http_method_override", "X-Http_Method", "x-method_override"} {
		r, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", Host: "mcp.example.com", Path: "/mcp", Headers: []authz.Header{{Name: name, Value: "POST"}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(r, false); err == nil {
			t.Errorf("%s: is let through", name)
		}
	}
}

// A body may be all names that are nearly known ones. Each costs about what others cost,
// since time is taken for a body by its length.
func TestNamesThatAreNearlyKnownAllocateWhatOthersDo(t *testing.T) {
	allocated := func(form string) float64 {
		var b strings.Builder
		b.WriteString(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"`)
		for i := range 2000 {
			b.WriteString(`,"` + strings.Replace(form, "0", strconv.Itoa(1000+i), 1) + `":1`)
		}
		r := request(t, []byte(b.String()+`}}`))
		return testing.AllocsPerRun(10, func() {
			if _, err := Read(r, false); err != nil {
				t.Fatal(err)
			}
		})
	}
	if plain, near := allocated("xx0xx"), allocated("_n0a-"); near > plain+200 {
		t.Errorf("2000 names allocate %v times, and those that are nearly known ones %v times", plain, near)
	}
}

func TestNamesThatReadersTakeForKnownOnes(t *testing.T) {
	for came, known := range map[string]string{
		"Name": "name", "NAME": "name", "na_me": "name", "_name-": "name", "tas\u212aId": "taskId", "task_id": "taskId", "argument\u017f": "arguments",
		"_Meta": "_meta", "json-rpc": "jsonrpc", "resource_subscriptions": "resourceSubscriptions",
	} {
		if !alike([]byte(came), known) {
			t.Errorf("%s is not like %s", came, known)
		}
	}
	for came, known := range map[string]string{
		"names": "name", "nam": "name", "": "name", "_": "name", "meta": "_meta", "-meta": "_meta", "n\u00e4me": "name", "na me": "name", "\xffname": "name",
	} {
		if alike([]byte(came), known) {
			t.Errorf("%s is like %s", came, known)
		}
	}
}
