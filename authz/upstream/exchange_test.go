package upstream

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/authz/introspect"
)

func TestATokenIsExchangedAsRFC8693Says(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(60)}
		jwt := "urn:ietf:params:oauth:token-type:jwt"
		p.set(func(n int, form url.Values) introspect.Response {
			return says(200, `{"access_token":"a.b.c","token_type":"N_A","expires_in":60,"issued_token_type":"`+jwt+`"}`)
		})
		x := p.server(Settings{Exchanged: true, Audience: "tickets", Resource: "https://tickets.example.com", Scopes: []string{"read"}, RequestedType: jwt, Actor: Fixed("actor-token")}, nil)
		defer x.Close()
		wantToken(t, get(t, x, caller("of-eve", time.Time{})), "a.b.c")
		access := "urn:ietf:params:oauth:token-type:access_token"
		want := url.Values{"grant_type": {grantExchange}, "audience": {"tickets"}, "resource": {"https://tickets.example.com"}, "scope": {"read"},
			"subject_token": {"of-eve"}, "subject_token_type": {access}, "requested_token_type": {jwt}, "actor_token": {"actor-token"}, "actor_token_type": {access}}
		if got := p.forms[0]; got.Encode() != want.Encode() {
			t.Errorf("expected the form %v, got %v", want, got)
		}
	})
}

func TestEachCallerHasATokenOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(600)}
		shared := NewShared()
		x, other := p.server(Settings{Exchanged: true}, shared), p.server(Settings{Exchanged: true, Audience: "other"}, shared)
		defer x.Close()
		defer other.Close()
		for range 3 {
			wantToken(t, get(t, x, caller("eve", time.Time{})), "t1")
		}
		wantToken(t, get(t, x, caller("bob", time.Time{})), "t2")
		wantToken(t, get(t, other, caller("eve", time.Time{})), "t3")
		wantToken(t, get(t, x, caller("eve", time.Time{})), "t1")
		wantRequests(t, p, 3)
	})
}

func TestConcurrentChecksOfOneCallerMakeOneExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(60), after: time.Second}
		x := p.server(Settings{Exchanged: true}, nil)
		defer x.Close()
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() { get(t, x, caller(fmt.Sprint("caller", i%2), time.Time{})) })
		}
		all.Wait()
		wantRequests(t, p, 2)
	})
}

func TestAnExchangedTokenIsNeverHeldBeyondTheCallersOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(3600)}
		x := p.server(Settings{Exchanged: true}, nil)
		defer x.Close()
		eve := caller("eve", time.Now().Add(30*time.Second))
		get(t, x, eve)
		time.Sleep(29 * time.Second)
		wantToken(t, get(t, x, eve), "t1")
		time.Sleep(2 * time.Second)
		wantToken(t, get(t, x, eve), "t2") // the method lets it pass for the skew of clocks
		wantToken(t, get(t, x, eve), "t3") // and nothing is held
	})
}

func TestAnExchangedTokenIsNeverHeldBeyondItsOwnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(10)}
		x := p.server(Settings{Exchanged: true}, nil)
		defer x.Close()
		eve := caller("eve", time.Now().Add(time.Hour))
		get(t, x, eve)
		time.Sleep(8 * time.Second)
		wantToken(t, get(t, x, eve), "t1")
		time.Sleep(2 * time.Second)
		wantToken(t, get(t, x, eve), "t2")
	})
}

func TestACallerWithoutATokenIsRefusedAndNobodyIsAsked(t *testing.T) {
	p := &provider{answer: issues(10)}
	x := p.server(Settings{Exchanged: true}, nil)
	defer x.Close()
	if _, r := none(t, x, Caller{}); r == nil {
		t.Error("expected a refusal of the caller")
	}
	wantRequests(t, p, 0)
}

func TestATokenThatTheServerDoesNotExchangeIsRefusedAndRememberedBriefly(t *testing.T) {
	for _, code := range aboutTheCaller {
		synctest.Test(t, func(t *testing.T) {
			p := &provider{answer: refuses(400, code)}
			shared := NewShared()
			x := p.server(Settings{Exchanged: true}, shared)
			defer x.Close()
			for range 10 {
				_, r := none(t, x, caller("eve", time.Time{}))
				if r == nil || !strings.Contains(r.Detail, code) || strings.Contains(r.Detail, "hunter2") {
					t.Fatalf("expected that the caller is refused by %s, got %v", code, r)
				}
			}
			wantRequests(t, p, 1)
			if _, r := none(t, x, caller("bob", time.Time{})); r == nil {
				t.Error("expected that another caller is asked about")
			}
			wantRequests(t, p, 2)
			time.Sleep(refusedFor)
			p.set(issues(60))
			get(t, x, caller("eve", time.Time{}))
			if s := shared.Statuses()[0]; s.Requests[Denied] != 2 || s.Failures != 0 {
				t.Errorf("expected no failures of the server, got %+v", s)
			}
		})
	}
}

func TestARefusalOfTheClientIsNobodysFaultAndNotRepeatedAtOnce(t *testing.T) {
	for name, answer := range map[string]func(int, url.Values) introspect.Response{
		"a wrong secret":          refuses(401, "invalid_client"),
		"a 401 without more":      refuses(401, "hunter2"),
		"a grant it may not use":  refuses(400, "unauthorized_client"),
		"a grant that is not had": refuses(400, "unsupported_grant_type"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &provider{answer: answer}
				x := p.server(Settings{Exchanged: true}, nil)
				defer x.Close()
				for i := range 100 {
					if u, _ := none(t, x, caller(fmt.Sprint(i), time.Time{})); u == nil || strings.Contains(u.Detail, "hunter2") {
						t.Fatalf("expected 503, got %v", u)
					}
				}
				wantRequests(t, p, 1)
				p.set(issues(60))
				time.Sleep(longestRefused)
				get(t, x, caller("eve", time.Time{}))
			})
		})
	}
}

func TestAFailureForOneCallerKeepsNoOtherFromAsking(t *testing.T) {
	for name, answer := range map[string]func(int, url.Values) introspect.Response{
		"an error of the server":   func(int, url.Values) introspect.Response { return says(500, "") },
		"an error that is unknown": refuses(400, "hunter2"),
		"a 403 that is unknown":    refuses(403, "hunter2"),
		"a 401 that blames tokens": refuses(401, "invalid_token"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &provider{answer: func(n int, form url.Values) introspect.Response {
					if form.Get("subject_token") == "evil" {
						return answer(n, form)
					}
					return issues(60)(n, form)
				}}
				x := p.server(Settings{Exchanged: true}, nil)
				defer x.Close()
				if u, _ := none(t, x, caller("evil", time.Time{})); u == nil || strings.Contains(u.Detail, "hunter2") {
					t.Fatalf("expected 503, got %v", u)
				}
				get(t, x, caller("eve", time.Time{}))
			})
		})
	}
}

func TestOneCallerThatWaitsOftenLeavesPlacesForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{after: time.Second, answer: issues(60)}
		x := p.server(Settings{Exchanged: true}, nil)
		defer x.Close()
		for range 2 * maxWaitersPerServer {
			go func() { _, _ = x.Token(t.Context(), caller("flood", time.Time{})) }()
		}
		synctest.Wait()
		get(t, x, caller("eve", time.Time{}))
		wantRequests(t, p, 2)
	})
}

func TestWithoutAnActorTokenNobodyIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(60)}
		x := p.server(Settings{Exchanged: true, Actor: Missing("no actor")}, nil)
		defer x.Close()
		if u, _ := none(t, x, caller("eve", time.Time{})); u == nil {
			t.Error("expected 503")
		}
		wantRequests(t, p, 0)
	})
}

func TestAnExchangeEndsWhenNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(60), after: 4 * time.Second}
		shared := NewShared()
		x := p.server(Settings{Exchanged: true}, shared)
		defer x.Close()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := x.Token(ctx, caller("eve", time.Time{})); err == nil {
			t.Fatal("expected no token")
		}
		synctest.Wait()
		if s := shared.Statuses()[0]; s.Requests[Abandoned] != 1 || s.Failures != 0 {
			t.Errorf("expected an abandoned request, got %+v", s)
		}
	})
}

func TestAFloodOfOneTenantDrivesOutItsOwn(t *testing.T) {
	h := held{max: 100 * (sizeOfHeld + 2), tenants: map[string]*tenantHeld{}}
	now := time.Now()
	key := func(i int) heldKey { return heldKey{digest: [32]byte{byte(i), byte(i >> 8)}} }
	for i := range 10 {
		h.put("quiet", key(i), heldToken{token: "tt", ends: now.Add(time.Hour)}, now)
	}
	for i := range 10_000 {
		h.put("greedy", key(i), heldToken{token: "tt", ends: now.Add(time.Hour)}, now)
		h.get("greedy", key(0), now)
	}
	for i := range 10 {
		if _, ok := h.get("quiet", key(i), now); !ok {
			t.Error("a token of another tenant gave way")
		}
	}
	if _, ok := h.get("greedy", key(0), now); !ok {
		t.Error("a token that is used gave way before those that are not")
	}
	if h.bytes > h.max {
		t.Errorf("expected at most %d bytes, got %d", h.max, h.bytes)
	}
}

func TestAClosedExchangeForgetsItsTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{answer: issues(600)}
		shared := NewShared()
		x, other := p.server(Settings{Exchanged: true}, shared), p.server(Settings{Exchanged: true}, shared)
		get(t, x, caller("eve", time.Time{}))
		get(t, other, caller("eve", time.Time{}))
		x.Close()
		if n := len(shared.held.tenants["shop"].at); n != 1 {
			t.Errorf("expected one token, got %d", n)
		}
		other.Close()
		get(t, other, caller("eve", time.Time{})) // of a check that began before
		if shared.held.bytes != 0 || len(shared.held.tenants) != 0 {
			t.Error("expected that nothing is held")
		}
	})
}

// Tenants close as many as they like while others hold as much as may be held.
func TestClosingDoesNotLookAtWhatOthersHold(t *testing.T) {
	p, shared := &provider{answer: issues(3600)}, NewShared()
	x := p.server(Settings{Exchanged: true}, shared)
	defer x.Close()
	for i := range 20_000 {
		get(t, x, caller(fmt.Sprint(i), time.Time{}))
	}
	began := time.Now()
	for range 2000 {
		p.server(Settings{Exchanged: true}, shared).Close()
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("closing 2,000 took %v", took)
	}
}
