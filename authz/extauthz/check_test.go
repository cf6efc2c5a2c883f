package extauthz

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/grpc/mem"

	"github.com/agentauth-dev/agentauth/authz"
)

func allowAll(context.Context, authz.Raw) authz.Decision { return authz.Decision{Outcome: authz.Allow} }

func TestAPanicAnywhereInACheckAnswersThatCheck503(t *testing.T) {
	for name, d := range map[string]Decider{
		"with text":      decide(func(context.Context, authz.Raw) authz.Decision { panic("boom") }),
		"with an error":  decide(func(context.Context, authz.Raw) authz.Decision { panic(errors.New("boom")) }),
		"with nil":       decide(func(context.Context, authz.Raw) authz.Decision { panic(nil) }),
		"without anyone": nil,
	} {
		c := silentChecker(d)
		var value any
		var stack string
		c.onPanic = func(v any, s []byte) { value, stack = v, string(s) }
		got, err := c.Check(t.Context(), parse(t, plaintextCheck))
		if err != nil {
			t.Errorf("%s: a gRPC error, which failure_mode_allow turns into a yes: %v", name, err)
		}
		same(t, mustRead(unavailable), got)
		if value == nil || !strings.Contains(stack, "extauthz.(*checker).Check") {
			t.Errorf("%s: reported %v with the stack %q", name, value, stack)
		}
	}
}

func TestACancelledCheckIsRefusedWithoutAsking(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := silentChecker(decide(func(context.Context, authz.Raw) authz.Decision {
		t.Error("asked")
		return authz.Decision{Outcome: authz.Allow}
	})).Check(ctx, parse(t, plaintextCheck))
	if err != nil {
		t.Error(err)
	}
	same(t, mustRead(unavailable), got)
}

func TestADecisionThatCannotBeWrittenIs503AndReported(t *testing.T) {
	c := silentChecker(decide(func(context.Context, authz.Raw) authz.Decision {
		return authz.Decision{Outcome: authz.Allow, Set: []authz.Header{{Name: "x-agent-id", Value: "s3cret\r\n"}}}
	}))
	var reported string
	c.onError = func(err error) { reported = err.Error() }
	got, err := c.Check(t.Context(), parse(t, plaintextCheck))
	if err != nil {
		t.Error(err)
	}
	same(t, mustRead(unavailable), got)
	if !strings.Contains(reported, "x-agent-id") || strings.Contains(reported, "s3cret") {
		t.Errorf("reported %q: want the header's name and not its value", reported)
	}
}

func TestTheDoorsOwnRefusalIsARefusal(t *testing.T) {
	same(t, answer(t, `status { code: 14 } denied_response {
	  status { code: ServiceUnavailable }
	  headers { header { key: "content-type" value: "application/problem+json" } append_action: OVERWRITE_IF_EXISTS_OR_ADD }
	  body: "{\"title\":\"Service Unavailable\",\"status\":503,\"detail\":\"The request could not be decided. Try again later.\"}" }`),
		mustRead(unavailable))
}

func TestAPanicWhileReadingLeavesAnEmptyCheck(t *testing.T) {
	panics, errs := 0, 0
	c := codec{onPanic: func(any, []byte) { panics++ }, onError: func(error) { errs++ }}
	q := &check{raw: authz.Raw{Path: "/"}}
	if err := c.Unmarshal(mem.BufferSlice{nil}, q); err != nil { // reading nothing panics
		t.Errorf("got %v, want no error: gRPC would end the call", err)
	}
	if !reflect.DeepEqual(&check{}, q) || panics != 1 || errs != 1 {
		t.Errorf("got %v, %d panics and %d errors reported", q, panics, errs)
	}
}
