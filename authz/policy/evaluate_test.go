package policy

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/expr"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// usual are the expressions of a usual policy: a condition, a requirement and headers.
func usual(t testing.TB) (conditions, headers []*expr.Program, in *expr.Input) {
	t.Helper()
	compile := func(kind expr.Kind, sources ...string) (out []*expr.Program) {
		for _, src := range sources {
			p, err := expr.Compile(kind, src)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, p)
		}
		return out
	}
	r, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", Host: "a", Path: "/v1/orders"})
	if err != nil {
		t.Fatal(err)
	}
	return compile(expr.Bool, `request.path.startsWith("/v1/")`, `identity.claims.tenant == "acme" && "eng" in identity.groups`),
		compile(expr.String, `identity.subject`, `identity.issuer`, `identity.claims.tenant`),
		&expr.Input{Request: r, Identity: &authz.Identity{Subject: "alice", Issuer: "https://idp.example.com", Groups: []string{"eng", "ops"}, Claims: map[string]any{"tenant": "acme"}}}
}

func BenchmarkEvaluate(b *testing.B) {
	conditions, headers, in := usual(b)
	deadline := time.Now().Add(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		ctx := work.Begin(b.Context(), deadline, nil)
		for _, p := range conditions {
			if holds, err := evalBool(ctx, p, in); !holds || err != nil {
				b.Fatal(holds, err)
			}
		}
		for _, p := range headers {
			if _, present, err := evalString(ctx, p, in); !present || err != nil {
				b.Fatal(present, err)
			}
		}
		ctx.End()
	}
}

func TestTheUsualExpressionsOfADecisionAreEvaluatedWithoutAnAllocation(t *testing.T) {
	conditions, headers, in := usual(t)
	ctx := work.Begin(t.Context(), time.Now().Add(time.Hour), nil)
	defer ctx.End()
	if n := testing.AllocsPerRun(100, func() {
		for _, p := range conditions {
			_, _ = evalBool(ctx, p, in)
		}
		for _, p := range headers {
			_, _, _ = evalString(ctx, p, in)
		}
	}); n > 0 {
		t.Errorf("got %v allocations", n)
	}
}

func TestNoExpressionIsEvaluatedWhenTheDecisionIsOver(t *testing.T) {
	conditions, headers, in := usual(t)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, ctx := range map[string]context.Context{
		"ended": work.Begin(over, time.Time{}, nil), "late": work.Begin(t.Context(), time.Now().Add(-time.Second), nil), "without a budget": over,
	} {
		for _, p := range conditions {
			if holds, err := evalBool(ctx, p, in); holds || err == nil || !strings.Contains(err.Error(), "was not evaluated") {
				t.Errorf("%s: got %v and error %v", name, holds, err)
			}
		}
		for _, p := range headers {
			if _, present, err := evalString(ctx, p, in); present || err == nil {
				t.Errorf("%s: got %v and error %v", name, present, err)
			}
		}
	}
}
