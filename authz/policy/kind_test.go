package policy_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// badge is a kind of credential that nobody else knows. Whatever a policy does
// with it follows from its own methods.
type badge struct{ tokens bool }

func (b *badge) Reads() authn.Reads {
	return authn.Reads{
		Places: []authn.Place{
			{In: authn.InHeader, Name: "x-badge"}, {In: authn.InCookie, Name: "badge"}, {In: authn.InQuery, Name: "badge"},
		},
		Tokens: b.tokens, Beside: []string{"x-badge-proof"},
	}
}

func (b *badge) Challenge(_ *authz.Request, presented bool) string {
	if presented {
		return `Badge error="bad"`
	}
	return "Badge"
}

func (b *badge) Verify(_ context.Context, p *authn.Presented) (*authn.Verified, error) {
	switch who, secret, _ := strings.Cut(p.Value, ":"); {
	case secret == "down":
		return nil, &authn.Unavailable{Reason: authz.Unavailable, Detail: "the badge office is closed"}
	case secret != "sesame":
		return nil, authn.ErrNotMine
	default:
		return &authn.Verified{Identity: authz.Identity{Method: "badges", Subject: who, ExpiresAt: noon}}, nil
	}
}

func (b *badge) Check(r *authz.Request, v *authn.Verified) error {
	if r.Time.After(v.Identity.ExpiresAt) {
		return &authn.Rejected{Reason: authz.CredentialExpired, Detail: "the badge ended at noon"}
	}
	return nil
}

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func TestAPolicyNeedsToKnowNothingOfAKindOfCredential(t *testing.T) {
	type headers = []authz.Header
	header := func(name, value string) authz.Header { return authz.Header{Name: name, Value: value} }
	badges := policy.Method{Name: "badges", Authenticator: &badge{}}
	public := policy.Method{Name: "public", Authenticator: &authn.Anonymous{Method: "public"}}
	tokens := policy.Method{Name: "badges", Authenticator: &badge{tokens: true}}
	jwt := "eyJhIjoxfQ.e30.x:sesame"
	for name, c := range map[string]struct {
		methods    []policy.Method
		path       string
		headers    headers
		after      bool
		reason     authz.Reason
		status     int
		challenge  string
		subject    string
		remove     []string
		set        headers
		query      []string
		step, read string
	}{
		"none came": {methods: []policy.Method{badges}, reason: authz.NoCredential, status: 401, challenge: "Badge", step: "absent"},
		"a good one": {methods: []policy.Method{badges}, headers: headers{header("x-badge", "eve:sesame"), header("X-Badge-Proof", "p"), header("x_badge", "forged")},
			reason: authz.Allowed, subject: "eve", remove: []string{"x-badge", "x-badge-proof", "x_badge"}, step: "succeeded", read: "header x-badge"},
		"a good cookie": {methods: []policy.Method{badges}, headers: headers{header("cookie", "a=b; badge=eve:sesame")},
			reason: authz.Allowed, subject: "eve", remove: []string{"x-badge"}, set: headers{header("cookie", "a=b")}, step: "succeeded", read: "cookie badge"},
		"a good parameter": {methods: []policy.Method{badges}, path: "/?badge=eve:sesame",
			reason: authz.Allowed, subject: "eve", remove: []string{"x-badge"}, query: []string{"badge"}, step: "succeeded", read: "query parameter badge"},
		"two": {methods: []policy.Method{badges}, path: "/?badge=eve:sesame", headers: headers{header("x-badge", "eve:sesame")},
			reason: authz.BadRequest, status: 400, step: "refused"},
		"an unknown one": {methods: []policy.Method{badges}, headers: headers{header("x-badge", "eve:x")},
			reason: authz.UnknownCredential, status: 401, challenge: `Badge error="bad"`, step: "not-mine", read: "header x-badge"},
		"an unknown one, and anonymous": {methods: []policy.Method{badges, public}, headers: headers{header("x-badge", "eve:x")},
			reason: authz.UnknownCredential, status: 401, challenge: `Badge error="bad"`, step: "not-mine", read: "header x-badge"},
		"none, and anonymous": {methods: []policy.Method{badges, public}, reason: authz.Allowed, remove: []string{"x-badge"}, step: "absent"},
		"one that ended": {methods: []policy.Method{badges}, headers: headers{header("x-badge", "eve:sesame")}, after: true,
			reason: authz.CredentialExpired, status: 401, challenge: `Badge error="bad"`, step: "rejected", read: "header x-badge"},
		"one that cannot be checked": {methods: []policy.Method{badges}, headers: headers{header("x-badge", "eve:down")},
			reason: authz.Unavailable, status: 503, step: "unavailable", read: "header x-badge"},
		"a JWT, which is not for this kind": {methods: []policy.Method{badges}, headers: headers{header("x-badge", jwt)},
			reason: authz.CredentialMalformed, status: 401, challenge: `Badge error="bad"`, step: "not-mine", read: "header x-badge"},
		"a JWT, where the kind takes them": {methods: []policy.Method{tokens}, headers: headers{header("x-badge", jwt)},
			reason: authz.Allowed, subject: "eyJhIjoxfQ.e30.x", remove: []string{"x-badge"}, step: "succeeded", read: "header x-badge"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := authz.Raw{Method: "GET", Scheme: "https", TLS: true, Host: "a.example.com", Path: "/", Headers: c.headers, Time: noon}
			if c.path != "" {
				raw.Path = c.path
			}
			if c.after {
				raw.Time = noon.Add(time.Second)
			}
			r, err := authz.NewRequest(raw)
			if err != nil {
				t.Fatal(err)
			}
			trace := &authz.Trace{}
			d := policy.New(policy.Config{Name: "shop/p", Methods: c.methods}).Decide(t.Context(), r, policy.Host{}, trace)
			challenge := ""
			for _, h := range d.Headers {
				if h.Name == "www-authenticate" {
					challenge += h.Value
				}
			}
			if d.Reason != c.reason || d.Status != c.status || challenge != c.challenge || d.Policy != "shop/p" {
				t.Errorf("got %s %d with the challenge %q for policy %q", d.Reason, d.Status, challenge, d.Policy)
			}
			if (d.Outcome == authz.Allow) != (c.status == 0) || d.Identity != nil && d.Identity.Subject != c.subject {
				t.Errorf("got %s of %+v", d.Outcome, d.Identity)
			}
			if c.status == 0 && (!slices.Equal(d.Remove, c.remove) || !slices.Equal(d.Set, c.set) || !slices.Equal(d.RemoveQuery, c.query)) {
				t.Errorf("removes %q and %q, sets %q", d.Remove, d.RemoveQuery, d.Set)
			}
			first := trace.Steps[0]
			if string(first.Outcome) != c.step || first.Read != c.read || first.Stage != authz.StageAuthenticate {
				t.Errorf("the first step is %+v", first)
			}
		})
	}
}

// ending is a kind whose check takes all of the time.
type ending struct {
	badge
	end func()
}

func (e *ending) Verify(ctx context.Context, p *authn.Presented) (*authn.Verified, error) {
	e.end()
	return e.badge.Verify(ctx, p)
}

func TestMethodsBehindTheDeadlineAreNotAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	methods := []policy.Method{{Name: "first", Authenticator: &ending{end: cancel}}}
	for range 15 {
		methods = append(methods, policy.Method{Name: "late", Authenticator: &ending{end: func() { t.Error("a method was asked after the deadline") }}})
	}
	r, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", TLS: true, Host: "a.example.com", Path: "/", Headers: []authz.Header{{Name: "x-badge", Value: "eve:x"}}})
	if err != nil {
		t.Fatal(err)
	}
	d := policy.New(policy.Config{Name: "shop/p", Methods: methods}).Decide(ctx, r, policy.Host{}, nil)
	if d.Outcome != authz.Error || d.Reason != authz.Unavailable || d.Status != 503 {
		t.Errorf("expected 503, got %+v", d)
	}
}

func TestAPolicyThatNobodyMadeAllowsNothing(t *testing.T) {
	r, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", Host: "a.example.com", Path: "/"})
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*policy.Policy{"the zero policy": {}, "one without methods": policy.New(policy.Config{}), "an invalid one": policy.Invalid("a/b", nil, nil)} {
		if d := p.Decide(t.Context(), r, policy.Host{}, nil); d.Outcome == authz.Allow || d.Status < 400 {
			t.Errorf("%s: got %+v", name, d)
		}
	}
}
