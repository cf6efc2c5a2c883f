package verified

import (
	"context"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/keyed"
)

var noon = time.Unix(1_800_000_000, 0)

// badges are a kind of credential whose text is the subject; it counts what it
// verifies.
type badges struct {
	inputs   string
	state    authn.State
	away     bool
	ends     time.Time
	verified int
}

func (b *badges) Reads() authn.Reads                    { return authn.Reads{} }
func (b *badges) Challenge(*authz.Request, bool) string { return "" }
func (b *badges) Inputs() (keyed.Digest, bool) {
	return keyed.Of("badges", []byte(b.inputs)), b.inputs != ""
}
func (b *badges) State() (authn.State, bool)                  { return b.state, !b.away }
func (b *badges) Ends(*authn.Verified) time.Time              { return b.ends }
func (b *badges) Disowns(*authn.Verified) bool                { return false }
func (b *badges) Check(*authz.Request, *authn.Verified) error { return nil }
func (b *badges) Verify(_ context.Context, p *authn.Presented) (*authn.Verified, error) {
	b.verified++
	return &authn.Verified{Identity: authz.Identity{Subject: p.Value}}, nil
}

func use(tb testing.TB, a authn.Authenticator, value string) *authn.Verified {
	tb.Helper()
	v, err := a.Verify(tb.Context(), &authn.Presented{Value: value})
	if err == nil {
		err = v.Complete(tb.Context())
	}
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func around(c *Cache, namespace string, b authn.Authenticator) authn.Authenticator {
	return c.Around(namespace, []authn.Authenticator{b})[0]
}

func TestAHitAllocatesNothing(t *testing.T) {
	c := New(Options{Bytes: 1 << 20})
	a := around(c, "shop", &badges{inputs: "x"})
	use(t, a, "alice")
	p := &authn.Presented{Value: "alice"}
	if n := testing.AllocsPerRun(100, func() {
		*p = authn.Presented{Value: "alice"}
		if v, err := a.Verify(t.Context(), p); err != nil || v.Complete(t.Context()) != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("expected no allocation, got %v", n)
	}
}
