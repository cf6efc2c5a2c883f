package reviews

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/introspect"
)

// fake is an API server that takes a second for each call.
type fake struct {
	calls, atOnce, most atomic.Int64
	token               Token
	allowed             bool
	err                 error
}

func (*fake) Issuer() string { return "cluster" }
func (*fake) Find() <-chan struct{} {
	return ready
}

func (f *fake) call(ctx context.Context) error {
	f.calls.Add(1)
	n := f.atOnce.Add(1)
	defer f.atOnce.Add(-1)
	for most := f.most.Load(); n > most && !f.most.CompareAndSwap(most, n); most = f.most.Load() {
	}
	select {
	case <-time.After(time.Second):
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fake) ReviewToken(ctx context.Context, _ string, _ []string) (Token, error) {
	return f.token, f.call(ctx)
}

func (f *fake) ReviewAccess(ctx context.Context, _ Question) (bool, error) {
	return f.allowed, f.call(ctx)
}

func of(tenant string) func() string { return func() string { return tenant } }

func about(n int) authn.Question {
	return authn.Question{Token: fmt.Sprint(n), Digest: [32]byte{byte(n), byte(n >> 8)}, Fresh: time.Second}
}

func TestAnAnswerAboutATokenIsReadAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{token: Token{Authenticated: true, Username: "u", UID: "1", Groups: []string{"g"}, Audiences: []string{"a"}, Extra: map[string][]string{"x": {"y"}}}}
		got, err := New(f, nil).Server(TokenReview, []string{"a"}, of("shop")).Introspect(t.Context(), about(1))
		want := "map[audiences:[a] extra:map[x:[y]] groups:[g] uid:1 username:u]"
		if err != nil || !got.Active || fmt.Sprint(got.Claims) != want {
			t.Errorf("expected %s, got %+v, %v", want, got, err)
		}
	})
}

func TestChecksThatWaitForOneAnswerMakeOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{allowed: true}
		s := New(f, nil).Server(SubjectAccessReview, nil, of("shop"))
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if ok, err := s.Allowed(t.Context(), Question{Username: "u"}); err != nil || !ok {
					t.Errorf("got %v, %v", ok, err)
				}
			})
		}
		all.Wait()
		if n := f.calls.Load(); n != 1 {
			t.Errorf("expected one call, got %d", n)
		}
	})
}

func TestAnAllowanceIsRememberedForFiveSecondsAndARefusalForOne(t *testing.T) {
	for allowed, kept := range map[bool]time.Duration{true: allowedFor, false: deniedFor} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{allowed: allowed}
			s := New(f, nil).Server(SubjectAccessReview, nil, of("shop"))
			ask := func(calls int64) {
				t.Helper()
				if ok, err := s.Allowed(t.Context(), Question{Username: "u"}); err != nil || ok != allowed || f.calls.Load() != calls {
					t.Errorf("expected %v after %d calls, got %v after %d, %v", allowed, calls, ok, f.calls.Load(), err)
				}
			}
			begun := time.Now()
			ask(1)
			if allowed {
				time.Sleep(kept - time.Millisecond - time.Since(begun))
				ask(1)
				time.Sleep(time.Millisecond)
			}
			f.allowed = !allowed
			allowed = !allowed
			ask(2)
		})
	}
}

func TestEachPartOfAQuestionTellsItFromOthers(t *testing.T) {
	seen := map[[32]byte]int{}
	for i, q := range []Question{
		{}, {Username: "a"}, {UID: "a"}, {Groups: []string{"a"}}, {Groups: []string{"a", ""}}, {Groups: []string{"", "a"}}, {Groups: []string{"ab"}}, {Groups: []string{"a", "b"}},
		{Extra: map[string][]string{"a": {"b"}}}, {Extra: map[string][]string{"a": {"b", "c"}}}, {Extra: map[string][]string{"a": nil, "b": nil}},
		{Resource: Resource{Verb: "a"}}, {Resource: Resource{Group: "a"}}, {Resource: Resource{Resource: "a"}}, {Resource: Resource{Subresource: "a"}},
		{Resource: Resource{Namespace: "a"}}, {Resource: Resource{Name: "a"}}, {Resource: Resource{Resource: "a", Name: "b"}}, {Resource: Resource{Resource: "ab"}},
	} {
		if before, twice := seen[q.digest()]; twice {
			t.Errorf("%d and %d are one question: %+v", before, i, q)
		}
		seen[q.digest()] = i
	}
}

func TestWhatIsNoAnswerIsUnavailableAndCountedApart(t *testing.T) {
	for want, err := range map[introspect.Outcome]error{introspect.Refused: ErrForbidden, introspect.Failed: errors.New("it answered 500"), introspect.Late: context.DeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			c := New(&fake{err: err}, nil)
			s := c.Server(TokenReview, []string{"a"}, of("shop"))
			_, got := s.Introspect(t.Context(), about(1))
			var down *authn.Unavailable
			if !errors.As(got, &down) || down.Reason != authz.Unavailable || down.RetryAfter == 0 {
				t.Errorf("%s: expected Unavailable, got %v", want, got)
			}
			if s.Status().Failures != 1 {
				t.Errorf("%s: expected a failure, got %+v", want, s.Status())
			}
			for _, n := range c.Counts() {
				if (n.Outcome == want) != (n.Requests == 1) {
					t.Errorf("expected one %s, got %+v", want, n)
				}
			}
		})
	}
}

// Each forged token with the right issuer costs a call.
func TestAFloodOfTokensOfOneNamespaceHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{token: Token{Authenticated: true, Username: "u"}}
		c := New(f, nil)
		flooded := c.Server(TokenReview, []string{"a"}, of("flooded"))
		var all sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		for i := range 100 {
			all.Go(func() { _, _ = flooded.Introspect(ctx, about(i)) })
		}
		synctest.Wait()
		if n := f.most.Load(); n >= slots {
			t.Errorf("expected one namespace to have fewer than %d calls at once, got %d", slots, n)
		}
		begun := time.Now()
		if _, err := c.Server(TokenReview, []string{"a"}, of("quiet")).Introspect(t.Context(), about(1)); err != nil || time.Since(begun) > 1100*time.Millisecond {
			t.Errorf("expected an answer at once, got %v after %v", err, time.Since(begun))
		}
		stop()
		all.Wait()
	})
}

func TestNoClusterKnowsNoIssuer(t *testing.T) {
	var none *Cluster
	if none.Issuer() != "" || none.IssuerIf(true)() != "" || none.IssuerIf(false) != nil || none.Counts() != nil {
		t.Error("expected nothing to be known")
	}
}
