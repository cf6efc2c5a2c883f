package extauthz

import (
	"context"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/agentauth-dev/agentauth/authz"
)

// answer parses the CheckResponse that is wanted.
func answer(t testing.TB, text string) *authv3.CheckResponse {
	t.Helper()
	r := &authv3.CheckResponse{}
	if err := prototext.Unmarshal([]byte(text), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func same(t testing.TB, want, got *authv3.CheckResponse) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestAnAllowanceSetsThenRemoves(t *testing.T) {
	got, err := encoded(authz.Decision{
		Outcome:     authz.Allow,
		Set:         []authz.Header{{Name: "x-agent-id", Value: "a"}, {Name: "X-Tenant", Value: "b"}},
		Remove:      []string{"authorization", "x-tenant", "X-AGENT-ID", "x_agent_id"},
		RemoveQuery: []string{"access_token"},
		Metadata:    map[string]any{"agent": "a"},
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, answer(t, `status {}
	  ok_response {
	    headers { header { key: "x-agent-id" value: "a" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
	    headers { header { key: "X-Tenant" value: "b" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
	    headers_to_remove: "authorization" headers_to_remove: "x_agent_id"
	    query_parameters_to_remove: "access_token"
	  }
	  dynamic_metadata { fields { key: "agent" value { string_value: "a" } } }`), got)
}

func TestADenialKeepsEachChallengeAFieldOfItsOwn(t *testing.T) {
	got, err := encoded(authz.Decision{
		Outcome: authz.Deny, Status: 401, Body: "{}",
		Headers: []authz.Header{
			{Name: "www-authenticate", Value: `Basic realm="a"`}, {Name: "content-type", Value: "application/problem+json"},
			{Name: "WWW-Authenticate", Value: "Bearer"},
		},
		Set: []authz.Header{{Name: "x-agent-id", Value: "a"}}, Metadata: map[string]any{"agent": "a"},
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, answer(t, `status { code: 16 }
	  denied_response {
	    status { code: Unauthorized }
	    headers { header { key: "www-authenticate" value: "Basic realm=\"a\"" } append_action: APPEND_IF_EXISTS_OR_ADD }
	    headers { header { key: "content-type" value: "application/problem+json" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
	    headers { header { key: "WWW-Authenticate" value: "Bearer" } append_action: APPEND_IF_EXISTS_OR_ADD }
	    body: "{}"
	  }
	  dynamic_metadata { fields { key: "agent" value { string_value: "a" } } }`), got)
}

func TestARefusalHasAStatusOfItsOutcomeAndNeverOK(t *testing.T) {
	for _, c := range []struct {
		outcome      authz.Outcome
		status, want int
		code         codes.Code
	}{
		{authz.Deny, 401, 401, codes.Unauthenticated},
		{authz.Deny, 403, 403, codes.PermissionDenied},
		{authz.Deny, 400, 400, codes.InvalidArgument},
		{authz.Deny, 599, 599, codes.PermissionDenied},
		{authz.Deny, 0, 403, codes.PermissionDenied},
		{authz.Deny, 200, 403, codes.PermissionDenied},
		{authz.Deny, 399, 403, codes.PermissionDenied},
		{authz.Deny, 600, 403, codes.PermissionDenied},
		{authz.Deny, -1, 403, codes.PermissionDenied},
		{authz.Error, 503, 503, codes.Unavailable},
		{authz.Error, 0, 503, codes.Unavailable},
		{authz.Error, 200, 503, codes.Unavailable},
		{authz.Respond, 200, 200, codes.PermissionDenied},
		{authz.Respond, 404, 404, codes.NotFound},
		{authz.Respond, 302, 302, codes.PermissionDenied},
		{authz.Respond, 0, 503, codes.Unavailable},
		{authz.Respond, 101, 503, codes.Unavailable},
		{authz.Respond, 1 << 40, 503, codes.Unavailable},
		{authz.Outcome(9), 200, 403, codes.PermissionDenied},
		{authz.Outcome(9), 0, 403, codes.PermissionDenied},
	} {
		got, err := encoded(authz.Decision{Outcome: c.outcome, Status: c.status})
		if err != nil {
			t.Fatal(err)
		}
		if s := got.GetDeniedResponse().GetStatus().GetCode(); int(s) != c.want {
			t.Errorf("%v %d: got HTTP status %d, want %d", c.outcome, c.status, s, c.want)
		}
		if code := codes.Code(got.GetStatus().GetCode()); code != c.code { // #nosec G115
			t.Errorf("%v %d: got gRPC code %v, want %v", c.outcome, c.status, code, c.code)
		}
	}
}

func TestNoHTTPStatusHasTheGRPCCodeOK(t *testing.T) {
	for s := -1; s < 1000; s++ {
		if refusal(s) == codes.OK {
			t.Errorf("%d is OK", s)
		}
	}
}

func TestTheZeroDecisionIsA403(t *testing.T) {
	got, err := encoded(authz.Decision{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, answer(t, `status { code: 7 } denied_response { status { code: Forbidden } }`), got)
}

func TestWhatCannotBeWrittenAsItIsIsNotWritten(t *testing.T) {
	field := func(name, value string) []authz.Header { return []authz.Header{{Name: name, Value: value}} }
	for name, d := range map[string]authz.Decision{
		"set, line break":           {Outcome: authz.Allow, Set: field("x-a", "a\r\nx-b: c")},
		"set, NUL":                  {Outcome: authz.Allow, Set: field("x-a", "a\x00")},
		"set, space at the end":     {Outcome: authz.Allow, Set: field("x-a", "a ")},
		"set, not UTF-8":            {Outcome: authz.Allow, Set: field("x-a", "caf\xe9")},
		"set, no name":              {Outcome: authz.Allow, Set: field("", "a")},
		"set, pseudo-header":        {Outcome: authz.Allow, Set: field(":path", "/a")},
		"set, second of two":        {Outcome: authz.Allow, Set: append(field("x-a", "a"), field("x b", "a")...)},
		"remove, pseudo-header":     {Outcome: authz.Allow, Remove: []string{":path"}},
		"remove, no name":           {Outcome: authz.Allow, Remove: []string{""}},
		"query, not UTF-8":          {Outcome: authz.Allow, RemoveQuery: []string{"a\xff"}},
		"metadata value, not UTF-8": {Outcome: authz.Allow, Metadata: map[string]any{"a": "\xff"}},
		"metadata key, not UTF-8":   {Outcome: authz.Allow, Metadata: map[string]any{"\xff": "a"}},
		"denied header, line break": {Status: 401, Headers: field("www-authenticate", "Bearer\nx: y")},
		"denied header, not UTF-8":  {Status: 401, Headers: field("x-a", "\xff")},
		"denied body, not UTF-8":    {Status: 401, Body: "\xff"},
		"response body, not UTF-8":  {Outcome: authz.Respond, Status: 200, Body: "\xff"},
	} {
		if got, err := encoded(d); err == nil {
			t.Errorf("%s: got %v, want an error", name, got)
		}
		instead := Writable(decide(func(context.Context, authz.Raw) authz.Decision { return d })).Decide(t.Context(), authz.Raw{})
		if instead.Outcome != authz.Error || instead.Reason != authz.Internal || instead.Status != 503 || instead.Set != nil || instead.Metadata != nil || strings.Contains(instead.Detail, "\xff") {
			t.Errorf("%s: got %+v", name, instead)
		}
		same(t, mustRead(unavailable), mustRead(must(encode(&instead))))
	}
}

func must(r *response, err error) *response {
	if err != nil {
		panic(err)
	}
	return r
}
