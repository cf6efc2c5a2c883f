package introspect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// slow is a server that answers after a second, unless it is asked no more before.
type slow struct {
	asked atomic.Int64
	ended atomic.Int64 // before the answer
	body  string
}

func (s *slow) post(ctx context.Context, _ string, _ Request) (Response, error) {
	s.asked.Add(1)
	select {
	case <-time.After(time.Second):
		return Response{200, "application/json", []byte(s.body)}, nil
	case <-ctx.Done():
		s.ended.Add(1)
		return Response{}, fmt.Errorf("no complete answer: %w", ctx.Err())
	}
}

const active = `{"active":true}`

func TestChecksOfOneTokenMakeOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider := &slow{body: active}
		s := New(Config{Post: provider.post})
		var all sync.WaitGroup
		for range maxCallsPerServer + 50 {
			all.Go(func() {
				if a, err := s.Introspect(t.Context(), about(token)); err != nil || !a.Active {
					t.Errorf("expected an active token, got %+v, %v", a, err)
				}
			})
		}
		all.Wait()
		if n := provider.asked.Load(); n != 1 {
			t.Errorf("expected one call, got %d", n)
		}
		if taken, tenants := s.config.Shared.waiters.Taken(); len(s.calls) != 0 || taken != 0 || tenants != 0 {
			t.Errorf("something is held after all ended: %+v", s)
		}
	})
}

func TestTokensDoNotShareACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider := &slow{body: active}
		s := New(Config{Post: provider.post})
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				if _, err := s.Introspect(t.Context(), about(fmt.Sprint(token, i))); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := provider.asked.Load(); n != 10 {
			t.Errorf("expected 10 calls, got %d", n)
		}
	})
}

func TestACheckGivesUpAtItsEndAndTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider := &slow{body: active}
		s := New(Config{Post: provider.post})
		var all sync.WaitGroup
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := s.Introspect(ctx, about(token))
			var down *authn.Unavailable
			if !errors.As(err, &down) || down.Reason != authz.Unavailable || down.RetryAfter == 0 {
				t.Errorf("expected Unavailable, got %v", err)
			}
		})
		all.Go(func() {
			if a, err := s.Introspect(t.Context(), about(token)); err != nil || !a.Active {
				t.Errorf("expected an answer, got %+v, %v", a, err)
			}
		})
		all.Wait()
		if provider.asked.Load() != 1 || provider.ended.Load() != 0 {
			t.Error("expected one call that came to its end")
		}
	})
}

func TestACallEndsWhenNobodyWaitsForItAndTheNextCheckAsksAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider := &slow{body: active}
		s := New(Config{Post: provider.post})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := s.Introspect(ctx, about(token)); err == nil {
			t.Error("expected no answer")
		}
		if a, err := s.Introspect(t.Context(), about(token)); err != nil || !a.Active {
			t.Errorf("expected an answer, got %+v, %v", a, err)
		}
		if provider.asked.Load() != 2 || provider.ended.Load() != 1 || counted(s)[Late] != 1 {
			t.Errorf("expected a second call, and the first to end: %+v, %v", provider, counted(s))
		}
	})
}

// Whoever hangs up must not raise an alarm about the server.
func TestACallerThatHangsUpIsNoFailureOfTheServer(t *testing.T) {
	for name, c := range map[string]struct {
		late bool // another check waits until its deadline
		want Outcome
	}{"alone": {false, Abandoned}, "beside one that waits in vain": {true, Late}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Config{Post: (&slow{body: active}).post})
				var all sync.WaitGroup
				ctx, hangUp := context.WithCancel(t.Context())
				all.Go(func() { _, _ = s.Introspect(ctx, about(token)) })
				if c.late {
					all.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
						defer cancel()
						_, _ = s.Introspect(ctx, about(token))
					})
				}
				time.Sleep(200 * time.Millisecond)
				hangUp()
				all.Wait()
				synctest.Wait()
				if got := counted(s); len(got) != 1 || got[c.want] != 1 || (s.Status().Failures == 0) == c.late {
					t.Errorf("expected 1 %s, got %v and %+v", c.want, got, s.Status())
				}
			})
		})
	}
}

func TestThatATokenIsNotActiveIsRememberedForAsLongAsIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider := &slow{body: `{"active":false}`}
		s := New(Config{Post: provider.post})
		ask := func(fresh time.Duration, calls int64) {
			t.Helper()
			q := about(token)
			q.Fresh = fresh
			if a, err := s.Introspect(t.Context(), q); err != nil || a.Active {
				t.Errorf("expected a token that is not active, got %+v, %v", a, err)
			}
			if n := provider.asked.Load(); n != calls {
				t.Errorf("expected %d calls, got %d", calls, n)
			}
		}
		ask(5*time.Second, 1)
		ask(5*time.Second, 1)
		ask(0, 2) // asks each time
		time.Sleep(3 * time.Second)
		ask(5*time.Second, 2)
		ask(2*time.Second, 3)
		time.Sleep(5 * time.Second)
		ask(5*time.Second, 4)
	})
}

func TestAFloodOfTokensThatAreNotActiveIsBoundedAndTakesNothingOfOtherTenants(t *testing.T) {
	i := newRecent()
	now := time.Unix(1_800_000_000, 0)
	key := func(n int) (q question) { q.digest = [32]byte{byte(n), byte(n >> 8), byte(n >> 16)}; return q }
	for n := range 100 {
		i.put("quiet", key(n), now)
	}
	for n := range 3 * maxRecent {
		i.put("flooded", key(n), now.Add(time.Second))
	}
	for n := range 100 {
		if !i.has("quiet", key(n), now.Add(-time.Second)) {
			t.Fatal("a token of another tenant was forgotten")
		}
	}
	if i.held != maxRecent || len(i.tenants["flooded"].asked) != maxRecent-100 {
		t.Errorf("expected %d in all, got %d", maxRecent, i.held)
	}
	i.put("flooded", key(1), now.Add(time.Minute))
	if n := len(i.tenants["flooded"].asked); n != 1 {
		t.Errorf("expected what is too old to be gone, got %d", n)
	}
}

func TestChecksThatFindNoPlaceAreOverloadedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := NewShared()
		provider := &slow{body: active}
		tenant := func() string { return "flooded" }
		servers := []*Server{
			New(Config{Post: provider.post, Tenant: tenant, Shared: shared, Endpoint: "a"}),
			New(Config{Post: provider.post, Tenant: tenant, Shared: shared, Endpoint: "b"}),
		}
		var all sync.WaitGroup
		var overloaded atomic.Int64
		for i := range 4 * maxCallsPerServer {
			all.Go(func() {
				_, err := servers[i%2].Introspect(t.Context(), about(fmt.Sprint(i)))
				var down *authn.Unavailable
				if errors.As(err, &down) && down.Reason == authz.Overloaded && down.RetryAfter > 0 {
					overloaded.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if got := provider.asked.Load(); got != maxWaiters/2 {
			t.Errorf("expected a tenant to have what is free beside it, %d, got %d", maxWaiters/2, got)
		}
		other := New(Config{Post: provider.post, Tenant: func() string { return "quiet" }, Shared: shared})
		if _, err := other.Introspect(t.Context(), about(token)); err != nil {
			t.Errorf("another tenant is refused: %v", err)
		}
		all.Wait()
		if got := overloaded.Load(); got != 4*maxCallsPerServer-maxWaiters/2 {
			t.Errorf("got %d checks that are overloaded", got)
		}
	})
}

func TestAServerThatHasAllItsCallsIsStillWaitedForByThoseWhoJoinOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider := &slow{body: active}
		s := New(Config{Post: provider.post})
		var all sync.WaitGroup
		for i := range maxCallsPerServer {
			all.Go(func() {
				if _, err := s.Introspect(t.Context(), about(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		all.Go(func() {
			if a, err := s.Introspect(t.Context(), about("7")); err != nil || !a.Active {
				t.Errorf("expected a check that joins to be answered, got %+v, %v", a, err)
			}
		})
		var down *authn.Unavailable
		if _, err := s.Introspect(t.Context(), about(token)); !errors.As(err, &down) || down.Reason != authz.Overloaded {
			t.Errorf("expected no further call, got %v", err)
		}
		all.Wait()
		if n := provider.asked.Load(); n != maxCallsPerServer {
			t.Errorf("expected %d calls, got %d", maxCallsPerServer, n)
		}
	})
}

// A provider chooses how large its answers are, and reading one of 64 KiB takes a
// thousand times as long as a usual one.
func TestALargeAnswerIsReadInTheTurnOfItsTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := NewShared()
		var ends []func()
		for _, busy := range []string{"one", "another"} {
			end, err := shared.reading.Turn(t.Context(), work.Task{Owner: work.Owner{Namespace: busy}})
			if err != nil {
				t.Fatal(err)
			}
			ends = append(ends, end)
		}
		small := New(Config{Post: (&slow{body: active}).post, Shared: shared})
		if a, err := small.Introspect(t.Context(), about(token)); err != nil || !a.Active {
			t.Errorf("expected a small answer to be read at once, got %+v, %v", a, err)
		}
		large := New(Config{Post: (&slow{body: `{"active":true,"x":"` + strings.Repeat("x", readAtOnce) + `"}`}).post, Shared: shared})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if a, err := large.Introspect(ctx, about(token)); err == nil {
			t.Errorf("expected a large answer to wait, got %+v", a)
		}
		for _, end := range ends {
			end()
		}
		if a, err := large.Introspect(t.Context(), about(token)); err != nil || !a.Active {
			t.Errorf("expected a large answer to be read in its turn, got %+v, %v", a, err)
		}
	})
}

func TestAPanicOverAnAnswerEndsNothingAndIsToldWithoutItsValue(t *testing.T) {
	var told any
	s := New(Config{Post: func(context.Context, string, Request) (Response, error) { panic("what came") }, Panicked: func(v any, _ []byte) { told = v }})
	_, err := s.Introspect(t.Context(), about(token))
	var down *authn.Unavailable
	if !errors.As(err, &down) || told != "what came" || counted(s)[Malformed] != 1 {
		t.Errorf("expected a failure that is told, got %v, %v", err, told)
	}
	if got := down.Detail; got != "the introspection endpoint: a defect of agentauth: the answer made it panic (string)" {
		t.Errorf("got %q", got)
	}
}

func TestCountsOfAnEndpointGoOnWhileItHasAServer(t *testing.T) {
	shared := NewShared()
	post := func(context.Context, string, Request) (Response, error) { return Response{Status: 500}, nil }
	old := New(Config{Endpoint: "a", Post: post, Shared: shared})
	if _, err := old.Introspect(t.Context(), about(token)); err == nil {
		t.Error("expected a failure")
	}
	rotated := New(Config{Endpoint: "a", Post: post, Shared: shared})
	old.Close()
	old.Close()
	if counted(rotated)[Failed] != 1 {
		t.Errorf("expected the count to stay, got %v", shared.Counts())
	}
	rotated.Close()
	if len(shared.Counts()) != 0 {
		t.Errorf("expected no counts of an endpoint without server, got %v", shared.Counts())
	}
}

func TestATurnThatIsNotGivenIsOverloaded(t *testing.T) {
	s := New(Config{Post: func(context.Context, string, Request) (Response, error) {
		return Response{}, fmt.Errorf("no free place: %w", work.ErrOverloaded)
	}})
	_, err := s.Introspect(t.Context(), about(token))
	var down *authn.Unavailable
	if !errors.As(err, &down) || down.Reason != authz.Overloaded || counted(s)[Crowded] != 1 {
		t.Errorf("expected Overloaded, got %v", err)
	}
}

// Four requests at once go to an origin, three of one tenant; the others wait for
// their turn and are all answered.
func TestAThousandTokensOfSixtyFourCallersAreAllAnswered(t *testing.T) {
	s := serverOf(t, answering(200, "application/json", active))
	var all sync.WaitGroup
	for caller := range 64 {
		all.Go(func() {
			for i := caller; i < 1000; i += 64 {
				if a, err := s.Introspect(t.Context(), about(fmt.Sprint(token, i))); err != nil || !a.Active {
					t.Errorf("token %d: expected an answer, got %+v, %v", i, a, err)
				}
			}
		})
	}
	all.Wait()
}
