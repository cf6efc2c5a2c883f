package policy

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// An exchange is used again; what was decided with it stays as it was.
func TestADecisionStaysAsItWasWhileOthersAreMade(t *testing.T) {
	places := []authn.Place{{In: authn.InHeader, Name: "x-key"}, {In: authn.InCookie, Name: "key"}, {In: authn.InQuery, Name: "key"},
		{In: authn.InHeader, Name: "authorization", Scheme: "bearer"}, {In: authn.InHeader, Name: "x-other"}} // more than an exchange has room for
	p := New(Config{Name: "shop/p", Headers: []Value{{"x-agent", compiled(t, "request.headers[?'x-agent'].orValue('')")}, {"x-id", compiled(t, "request.path")}},
		Methods: []Method{{Name: "pass", Authenticator: &pass{places, []string{"dpop"}}}, {Name: "public", Authenticator: &authn.Anonymous{Method: "public"}}}})
	decide := func(i int) authz.Decision {
		raw := authz.Raw{Method: "GET", Scheme: "https", TLS: true, Host: "www.example.com", Path: fmt.Sprintf("/%d?key=%s", i, []string{"", "good", "bad"}[i%3])}
		for h := range i % 12 {
			raw.Headers = append(raw.Headers, authz.Header{Name: fmt.Sprintf("x_%c", 'a'+h), Value: fmt.Sprint(i)})
		}
		raw.Headers = append(raw.Headers, authz.Header{Name: "x-agent", Value: fmt.Sprint(i % 2)}, authz.Header{Name: "x_id", Value: "1"}, authz.Header{Name: "x.id", Value: "2"},
			authz.Header{Name: "dpop", Value: "1"}, authz.Header{Name: "cookie", Value: fmt.Sprintf("a=%d; key=%s", i, []string{"good", ""}[i%2])})
		r, err := authz.NewRequest(raw)
		if err != nil {
			t.Error(err)
			return authz.Decision{}
		}
		return p.Decide(t.Context(), r, Host{}, nil)
	}
	var all sync.WaitGroup
	for first := range 4 {
		all.Go(func() {
			var made []authz.Decision
			var was []string
			outcomes := map[authz.Outcome]bool{}
			for i := range 200 {
				d := decide(first + i)
				made, was = append(made, d), append(was, fmt.Sprintf("%+v", d))
				outcomes[d.Outcome] = true
			}
			for i, d := range made {
				if is := fmt.Sprintf("%+v", d); is != was[i] {
					t.Errorf("expected %s, got %s", was[i], is)
				}
			}
			if !outcomes[authz.Allow] || !outcomes[authz.Deny] {
				t.Error("expected requests that are allowed and some that are not")
			}
		})
	}
	all.Wait()
}

func TestADecisionAllocatesItsContextAndTheCredential(t *testing.T) {
	_, r, host := usualPolicy(t)
	kind := &held{pass: pass{places: []authn.Place{{In: authn.InHeader, Name: "authorization", Scheme: "bearer"}}, beside: []string{"dpop"}}}
	p := New(Config{Name: "shop/p", Methods: []Method{{Name: "held", Authenticator: kind}}})
	deadline := time.Now().Add(time.Hour)
	allocated := testing.AllocsPerRun(200, func() {
		c := work.Begin(t.Context(), deadline, nil)
		if d := p.Decide(c, r, host, nil); d.Outcome != authz.Allow || len(d.Remove) == 0 {
			t.Errorf("got %+v", d)
		}
		c.End()
	})
	if allocated > 2+1 { // of which the reserved names of the host, which are not the policy's
		t.Errorf("expected 3 allocations, got %v", allocated)
	}
}
