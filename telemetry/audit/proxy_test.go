package audit_test

import (
	"context"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

func TestARecordSaysWhichProxyAskedAndNoMoreOfItThanATextMayHave(t *testing.T) {
	type key struct{}
	to := &sink{}
	s := begin(t, to, func(c *audit.Config) {
		c.Proxy = func(ctx context.Context) string { by, _ := ctx.Value(key{}).(string); return by }
	})
	for _, by := range []string{"spiffe://prod/proxy", strings.Repeat("x", 4<<10), "a\nb", ""} {
		s.Decision(context.WithValue(t.Context(), key{}, by), &authz.Raw{}, allowed(), at, 0)
	}
	end(t, s)
	got := records(t, to.text.String())
	for i, want := range []string{"spiffe://prod/proxy", strings.Repeat("x", 512) + "…", "a�b", ""} {
		if by := got[i+1].Agentauth.Proxy; by != want {
			t.Errorf("expected %q, got %q", want, by)
		}
	}
}
