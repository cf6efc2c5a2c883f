package upstream

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/introspect"
)

// provider is a token endpoint: answer says what it answers to a form, after.
type provider struct {
	after  time.Duration
	answer func(n int, form url.Values) introspect.Response

	mu    sync.Mutex
	forms []url.Values
	auth  []string
	asked []bool
}

func (p *provider) post(ctx context.Context, _ string, asked bool, r introspect.Request) (introspect.Response, error) {
	form, err := url.ParseQuery(r.Form)
	if err != nil {
		return introspect.Response{}, err
	}
	p.mu.Lock()
	p.forms, p.auth, p.asked = append(p.forms, form), append(p.auth, r.Authorization), append(p.asked, asked)
	n := len(p.forms)
	answer, after := p.answer, p.after
	p.mu.Unlock()
	select {
	case <-time.After(after):
	case <-ctx.Done():
		return introspect.Response{}, fmt.Errorf("late: %w", ctx.Err())
	}
	if answer == nil {
		return introspect.Response{}, errors.New("no connection")
	}
	return answer(n, form), nil
}

func (p *provider) set(answer func(int, url.Values) introspect.Response) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *provider) slow(after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after = after
}

func (p *provider) requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.forms)
}

func says(status int, body string) introspect.Response {
	return introspect.Response{Status: status, ContentType: "application/json", Body: []byte(body)}
}

// issues answers with tokens "t1", "t2", … that last so many seconds.
func issues(seconds int) func(int, url.Values) introspect.Response {
	return func(n int, form url.Values) introspect.Response {
		more := ""
		if form.Get("grant_type") == grantExchange {
			more = `,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"`
		}
		return says(200, fmt.Sprintf(`{"access_token":"t%d","token_type":"bearer","expires_in":%d%s}`, n, seconds, more))
	}
}

func refuses(status int, code string) func(int, url.Values) introspect.Response {
	return func(int, url.Values) introspect.Response {
		return says(status, `{"error":"`+code+`","error_description":"hunter2"}`)
	}
}

func (p *provider) server(s Settings, shared *Shared) Server {
	s.Endpoint = "https://idp.example.com/token"
	s.Client = introspect.Client{ID: "agentauth", Secret: "secret-of-the-client"}
	if s.Tenant == nil {
		s.Tenant = func() string { return "shop" }
	}
	return New(Config{Settings: s, Post: p.post, Shared: shared})
}

func caller(token string, ends time.Time) Caller {
	return Caller{Identity: &authz.Identity{Subject: token, ExpiresAt: ends}, Token: token, Digest: sha256.Sum256([]byte(token))}
}

func get(t *testing.T, s Source, c Caller) string {
	t.Helper()
	token, err := s.Token(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// none fails the test unless there is no token, and returns why.
func none(t *testing.T, s Source, c Caller) (u *Unavailable, r *CallerRefused) {
	t.Helper()
	token, err := s.Token(t.Context(), c)
	if token != "" || !errors.As(err, &u) && !errors.As(err, &r) {
		t.Fatalf("expected no token, and why, got %q and %v", token, err)
	}
	return u, r
}

func wantRequests(t *testing.T, p *provider, want int) {
	t.Helper()
	if got := p.requests(); got != want {
		t.Fatalf("expected %d requests, got %d", want, got)
	}
}

func wantToken(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("expected the token %s, got %s", want, got)
	}
}
