package upstream

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/work"
)

func TestATokenOfAClientIsAskedForAsRFC6749Says(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(60)}
		g := p.server(Settings{Audience: "tickets", Resource: "https://tickets.example.com", Scopes: []string{"read", "write"}}, nil)
		defer g.Close()
		wantToken(t, get(t, g, caller("eve", time.Time{})), "t1")
		want := url.Values{"grant_type": {"client_credentials"}, "audience": {"tickets"}, "resource": {"https://tickets.example.com"}, "scope": {"read write"}}
		if got := p.forms[0]; got.Encode() != want.Encode() {
			t.Errorf("expected the form %v, got %v", want, got)
		}
		if !strings.HasPrefix(p.auth[0], "Basic ") || !p.asked[0] {
			t.Error("expected a request that a caller waits for, with Basic")
		}
	})
}

func TestHoweverManyWaitOneRequestIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(60), after: time.Second}
		g := p.server(Settings{}, nil)
		defer g.Close()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { wantToken(t, get(t, g, Caller{}), "t1") })
		}
		all.Wait()
		wantRequests(t, p, 1)
	})
}

func TestATokenThatIsUsedIsRenewedInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(100)}
		g := p.server(Settings{}, nil)
		defer g.Close()
		get(t, g, Caller{})
		time.Sleep(68 * time.Second) // of the 76 at which it is renewed, a tenth is left to chance
		wantRequests(t, p, 1)
		p.slow(3 * time.Second) // nobody waits for it
		time.Sleep(13 * time.Second)
		wantRequests(t, p, 2)
		if p.asked[1] {
			t.Error("expected a request that no caller waits for")
		}
		began := time.Now()
		get(t, g, Caller{})
		if time.Since(began) != 0 {
			t.Error("a check waited for a renewal")
		}
		time.Sleep(5 * time.Second)
		wantToken(t, get(t, g, Caller{}), "t2")
	})
}

func TestATokenThatIsNotUsedIsNotRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(100)}
		g := p.server(Settings{}, nil)
		defer g.Close()
		get(t, g, Caller{})
		time.Sleep(time.Hour)
		wantRequests(t, p, 2) // it was used once
		wantToken(t, get(t, g, Caller{}), "t3")
	})
}

func TestATokenIsUsedUntilItEndsAndNotBeyond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(100)}
		g := p.server(Settings{}, nil)
		defer g.Close()
		get(t, g, Caller{})
		p.set(nil) // down
		time.Sleep(94 * time.Second)
		wantToken(t, get(t, g, Caller{}), "t1")
		tried := p.requests()
		if tried < 3 {
			t.Errorf("expected that it was tried again before the end, got %d requests", tried)
		}
		time.Sleep(2 * time.Second)
		u, _ := none(t, g, Caller{})
		if u == nil || u.RetryAfter <= 0 {
			t.Errorf("expected when to try again, got %v", u)
		}
		p.set(issues(100))
		time.Sleep(longestRest)
		if got := get(t, g, Caller{}); got == "t1" {
			t.Error("a token was used beyond its end")
		}
	})
}

func TestAfterARefusalOfTheClientNobodyAsksForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: refuses(401, "invalid_client")}
		shared := NewShared()
		g := p.server(Settings{}, shared)
		defer g.Close()
		for range 6000 {
			u, _ := none(t, g, Caller{})
			if u == nil || !strings.Contains(u.Detail, "invalid_client") || strings.Contains(u.Detail, "hunter2") {
				t.Fatalf("expected the error that the server named and nothing else of it, got %v", u)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := p.requests(); n < 5 || n > 20 {
			t.Errorf("expected a few requests in ten minutes, got %d", n)
		}
		s := shared.Statuses()[0]
		if s.Requests[Refused] == 0 || s.Failures == 0 || !strings.Contains(s.Error, "invalid_client") {
			t.Errorf("expected failures in the status, got %+v", s)
		}
	})
}

func TestAnAnswerWithoutAnEndLastsFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: func(int, url.Values) introspect.Response {
			return says(200, `{"access_token":"t1","token_type":"Bearer"}`)
		}}
		g := p.server(Settings{}, nil).(*Grant)
		defer g.Close()
		began := time.Now()
		get(t, g, Caller{})
		if got := g.ends.Sub(began); got != usualLife-maxMargin {
			t.Errorf("expected %v, got %v", usualLife-maxMargin, got)
		}
	})
}

func TestASlowEndpointHoldsACheckNoLongerThanItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(60), after: 2 * time.Second}
		g := p.server(Settings{}, nil)
		defer g.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if token, err := g.Token(ctx, Caller{}); err == nil {
			t.Fatalf("expected no token yet, got %s", token)
		}
		time.Sleep(2 * time.Second)
		wantToken(t, get(t, g, Caller{}), "t1") // the request went on
		wantRequests(t, p, 1)
	})
}

func TestAClosedGrantRenewsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(100)}
		shared := NewShared()
		g := p.server(Settings{}, shared)
		get(t, g, Caller{})
		g.Close()
		g.Close()
		time.Sleep(time.Hour)
		wantRequests(t, p, 1)
		if s := shared.Statuses(); len(s) != 0 {
			t.Errorf("expected no endpoints, got %v", s)
		}
	})
}

func TestWaitersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(60), after: 4 * time.Second}
		shared := NewShared()
		g := p.server(Settings{}, shared)
		defer g.Close()
		var all sync.WaitGroup
		var mu sync.Mutex
		turned := 0
		for range 300 {
			all.Go(func() {
				if _, err := g.Token(t.Context(), Caller{}); err != nil {
					mu.Lock()
					turned++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if turned != 300-maxWaitersPerServer {
			t.Errorf("expected %d to wait, got %d", maxWaitersPerServer, 300-turned)
		}
		if taken, tenants := shared.waiters.Taken(); taken != 0 || tenants != 0 {
			t.Error("expected that nobody waits any more")
		}
	})
}

func TestOneTenantLeavesOthersRoomToWait(t *testing.T) {
	shared := NewShared()
	n := 0
	for shared.waiters.Exchange(work.Part{}, work.Part{Tenant: "greedy", Amount: 1}) {
		n++
	}
	if !shared.waiters.Exchange(work.Part{}, work.Part{Tenant: "another", Amount: 1}) || n > maxWaiters/2 {
		t.Errorf("expected room for another tenant, and got none beside %d", n)
	}
}

func TestAPanicOverAnAnswerIsNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := false
		g := New(Config{Settings: Settings{Endpoint: "https://idp.example.com"}, Panicked: func(any, []byte) { told = true },
			Post: func(context.Context, string, bool, introspect.Request) (introspect.Response, error) { panic("hunter2") }})
		defer g.Close()
		u, _ := none(t, g, Caller{})
		if u == nil || strings.Contains(u.Detail, "hunter2") || !told {
			t.Errorf("expected a defect that does not quote the answer, got %v", u)
		}
	})
}
