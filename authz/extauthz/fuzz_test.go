package extauthz

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/agentauth-dev/agentauth/authz"
)

// FuzzDecode: no message panics, and none that came over the wire has a body
// that is known and not of the stated length.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		``, plaintextCheck,
		http(`method: "GET" path: "/" host: "a" header_map { headers { key: ":path" raw_value: "\377" } }`),
		"attributes { route_metadata_context {" + resource(text("name", "a")) + "} tls_session { sni: \"a\" } }",
	} {
		wire, err := proto.Marshal(parse(f, text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		check := &authv3.CheckRequest{}
		if proto.Unmarshal(wire, check) != nil {
			return
		}
		raw := decode(check, noon)
		if !raw.Time.Equal(noon) {
			t.Error("the request chose its own time")
		}
		if length, stated := last(raw.Headers, "content-length"); raw.BodyKnown && stated && length != strconv.Itoa(len(raw.Body)) {
			t.Error("a body is known that is not of its length")
		}
		named := check.GetAttributes().GetRouteMetadataContext().GetFilterMetadata()["envoy-gateway"] != nil
		if named && raw.Route == nil {
			t.Error("the proxy's word on the route was dropped")
		}
	})
}

// FuzzEncode: whatever the decision, the answer can be sent, is a refusal
// unless the decision allows, and changes nothing but what was decided.
func FuzzEncode(f *testing.F) {
	f.Add(uint8(0), 0, "", "", "", "", "", "", "")
	f.Add(uint8(1), 200, "x-agent-id", "a", "authorization", "token", "agent", "a", "")
	f.Add(uint8(1), 0, "x-a", "b", "X-A", "", "", "", "")
	f.Add(uint8(2), 503, "retry-after", "10", "", "", "", "", "{}")
	f.Add(uint8(3), 200, "content-type", "application/json", "", "", "", "", "{}")
	f.Add(uint8(1), 401, "x\r\n", "\xff", "\x00", "\xff", "\xff", "\xff", "\xff")
	f.Add(uint8(200), 200, "a", " ", "b", "c", "d", "e", "f")
	f.Fuzz(func(t *testing.T, outcome uint8, status int, name, value, remove, query, key, word, body string) {
		d := authz.Decision{
			Outcome: authz.Outcome(outcome), Status: status, Body: body,
			Set: []authz.Header{{Name: name, Value: value}}, Remove: []string{remove, name}, RemoveQuery: []string{query},
			Metadata: map[string]any{key: word},
			Headers:  []authz.Header{{Name: name, Value: value}, {Name: remove, Value: word}},
		}
		got, err := silentChecker(decide(func(context.Context, authz.Raw) authz.Decision { return d })).Check(t.Context(), nil)
		if err != nil {
			t.Fatal("a decision became a gRPC error")
		}
		if _, err := proto.Marshal(got); err != nil {
			t.Fatalf("cannot be sent: %v", err)
		}
		checkAnswer(t, d, got)
	})
}

func checkAnswer(t *testing.T, d authz.Decision, got *authv3.CheckResponse) {
	if got.GetErrorResponse() != nil || got.GetStatus() == nil {
		t.Fatalf("got %v", got)
	}
	if codes.Code(got.GetStatus().GetCode()) != codes.OK { // #nosec G115
		status := got.GetDeniedResponse().GetStatus().GetCode()
		if got.GetDeniedResponse() == nil || status > 599 || status < 200 || status < 400 && d.Outcome != authz.Respond {
			t.Errorf("a refusal without a status of its own: %v", got)
		}
		return
	}
	ok := got.GetOkResponse()
	if d.Outcome != authz.Allow || ok == nil {
		t.Fatalf("%v was let through: %v", d.Outcome, got)
	}
	for i, h := range ok.GetHeaders() {
		if h.GetHeader().GetKey() != d.Set[i].Name || h.GetHeader().GetValue() != d.Set[i].Value {
			t.Errorf("header %d is %v, want %v", i, h, d.Set[i])
		}
		if slices.ContainsFunc(ok.GetHeadersToRemove(), func(r string) bool { return strings.EqualFold(r, d.Set[i].Name) }) {
			t.Errorf("%q is set and removed", d.Set[i].Name)
		}
	}
	if len(ok.GetHeaders()) != len(d.Set) || !slices.Equal(ok.GetQueryParametersToRemove(), d.RemoveQuery) {
		t.Errorf("something was dropped: %v", got)
	}
	for _, name := range d.Remove {
		if !strings.EqualFold(name, d.Set[0].Name) && !slices.Contains(ok.GetHeadersToRemove(), name) {
			t.Errorf("%q is not removed", name)
		}
	}
}

// decide is a Decider made of a function.
type decide func(context.Context, authz.Raw) authz.Decision

func (f decide) Decide(ctx context.Context, raw authz.Raw) authz.Decision { return f(ctx, raw) }

func silentChecker(d Decider) *checker {
	return &checker{
		decider: d, clock: func() time.Time { return noon },
		onPanic: func(any, []byte) {}, onError: func(error) {},
	}
}
