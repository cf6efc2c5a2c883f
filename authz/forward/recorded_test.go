package forward_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/forward"
)

// recorder keeps the decision and the request, as the decision log does.
type recorder struct {
	next forward.Decider
	raw  authz.Raw
	d    authz.Decision
}

func (r *recorder) Decide(ctx context.Context, raw authz.Raw) authz.Decision {
	r.raw, r.d = raw, r.next.Decide(ctx, raw)
	return r.d
}

func TestWhatIsRecordedOfADecisionIsWhatTheProxyIsAnswered(t *testing.T) {
	for dialect, lines := range asks {
		for name, d := range map[string]authz.Decision{
			"an allowance":                     allowed,
			"an allowance that has no form":    {Outcome: authz.Allow, Set: []authz.Header{{Name: "x-a", Value: "a\r\nb: c"}}},
			"a header to remove with no form":  {Outcome: authz.Allow, Remove: []string{"x a"}},
			"a parameter to remove":            {Outcome: authz.Allow, RemoveQuery: []string{"key"}},
			"a refusal":                        {Outcome: authz.Deny, Status: 401},
			"a refusal that has no form":       {Outcome: authz.Deny, Status: 401, Headers: []authz.Header{{Name: "", Value: "x"}}},
			"a refusal with the status of 200": {Outcome: authz.Deny, Status: 200},
			"an error without a status":        {Outcome: authz.Error},
			"an answer":                        {Outcome: authz.Respond, Status: 200, Body: "{}"},
			"an answer without a body":         {Outcome: authz.Respond, Status: 204},
			"an answer that has no form":       {Outcome: authz.Respond, Status: 200, Headers: []authz.Header{{Name: "x a"}}},
			"an outcome that there is not":     {Outcome: authz.Outcome(9), Status: 200},
		} {
			r := &recorder{next: forward.Within(&decider{d: d}, dialect, nil)}
			got := ask(t, open(t, forward.Config{Dialect: dialect, Decider: r}), lines...)
			status := got.StatusCode
			if told := got.Header.Get("x-agentauth-status"); told != "" {
				_, _ = fmt.Sscan(told, &status)
			}
			recorded := r.d.Status
			if r.d.Outcome == authz.Allow {
				recorded = 200
			}
			body, _ := io.ReadAll(got.Body)
			if status != recorded || r.d.Outcome == authz.Respond || r.d.Outcome != authz.Allow && string(body) != r.d.Body {
				t.Errorf("%s: %s: the proxy is answered %d %s, recorded is %s %d %s", dialect, name, status, body, r.d.Outcome, r.d.Status, r.d.Body)
			}
		}
	}
}

func TestAnAnswerThatIsNotServedOverHTTPIsRecordedAsARefusal(t *testing.T) {
	metadata := authz.Decision{Outcome: authz.Respond, Reason: authz.MetadataServed, Status: 200, Policy: "shop/a", Version: &authz.PolicyVersion{Generation: 7}, Body: "{}",
		Headers: []authz.Header{{Name: "access-control-allow-origin", Value: "*"}}}
	d := forward.Within(&decider{d: metadata}, forward.Caddy, nil).Decide(t.Context(), authz.Raw{Method: "GET"})
	if d.Outcome != authz.Deny || d.Reason != authz.NoPolicy || d.Status != 404 || d.Policy != "shop/a" || d.Version != metadata.Version || len(d.Headers) != 1 || !strings.Contains(d.Detail, "let the proxy serve it") {
		t.Errorf("got %+v", d)
	}
}

func TestOfASubrequestThatCannotBeReadIsRecordedWhatIsKnown(t *testing.T) {
	for dialect, lines := range asks {
		lines = append(slices.Clone(lines), "x-request-id: req-1", "authorization: Bearer s3cret", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "x-forwarded-proto") })
		r := &recorder{next: &decider{d: allowed}}
		if got := ask(t, open(t, forward.Config{Dialect: dialect, Decider: r}), lines...); got.StatusCode != 400 && got.Header.Get("x-agentauth-status") != "400" {
			t.Errorf("%s: expected 400, got %d", dialect, got.StatusCode)
		}
		if r.raw.ID != "req-1" || r.raw.Host != "api.example.com" || r.raw.Source.Address != "192.0.2.7" || r.raw.Time.IsZero() {
			t.Errorf("%s: got %+v", dialect, r.raw)
		}
		if len(r.raw.Headers) != 1 || r.raw.Headers[0].Name != "traceparent" || r.raw.Method != "" || r.raw.Path != "" || r.raw.Body != nil {
			t.Errorf("%s: expected nothing else of the request, got %+v", dialect, r.raw)
		}
	}
}

func TestAHostThatTwoHeadersSayIsNotRecorded(t *testing.T) {
	r := &recorder{next: &decider{d: allowed}}
	got := ask(t, open(t, forward.Config{Dialect: forward.Traefik, Decider: r}), append(slices.Clone(asks[forward.Traefik]), "x-forwarded-host: other.example.com", "x-request-id: req-1")...)
	if got.StatusCode != 400 || r.raw.Host != "" || r.raw.ID != "req-1" || r.raw.Source.Address != "192.0.2.7" {
		t.Errorf("got %d, %+v", got.StatusCode, r.raw)
	}
}
