package engine

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
)

func values(d authz.Decision, name string) []string {
	var out []string
	for _, h := range d.Headers {
		if h.Name == name {
			out = append(out, h.Value)
		}
	}
	return out
}

func TestA401ChallengesForEachMethodThatCouldHaveBeenUsed(t *testing.T) {
	const basic, key = `Basic realm="agentauth", charset="UTF-8"`, `ApiKey header="x-api-key"`
	from := func(m v1alpha1.Method, p ...v1alpha1.Place) v1alpha1.Method {
		m.APIKey.From = p
		return m
	}
	all := []v1alpha1.Method{staff("staff"), partners(idp), keys("a")}
	bearer := header("authorization", "Bearer "+tokenOf(t, "https://evil.example.com"))
	for name, c := range map[string]struct {
		methods   []v1alpha1.Method
		headers   []authz.Header
		plaintext bool
		want      []string
	}{
		"all of them, in order":                      {all, nil, false, []string{basic, "Bearer", key}},
		"in the policy's order":                      {[]v1alpha1.Method{all[2], all[0], all[1]}, nil, false, []string{key, basic, "Bearer"}},
		"without Basic over plaintext":               {all, nil, true, []string{"Bearer", key}},
		"a bad token is told as one":                 {all, []authz.Header{bearer}, false, []string{basic, `Bearer error="invalid_token"`, key}},
		"none for anonymous":                         {[]v1alpha1.Method{partners(idp), anonymous()}, []authz.Header{header("authorization", "Digest x")}, false, []string{"Bearer"}},
		"one for two methods with equal ones":        {[]v1alpha1.Method{partners(idp), other(partners("https://b.example.com"))}, nil, false, []string{"Bearer"}},
		"none for what succeeded":                    {[]v1alpha1.Method{required(keys("a")), required(partners(idp))}, []authz.Header{header("x-api-key", robotKey)}, false, []string{"Bearer"}},
		"a key's cookie":                             {[]v1alpha1.Method{from(keys("a"), v1alpha1.Place{Cookie: &v1alpha1.NamedPlace{Name: "key"}})}, nil, false, []string{`ApiKey cookie="key"`}},
		"a key's parameter":                          {[]v1alpha1.Method{from(keys("a"), v1alpha1.Place{Query: &v1alpha1.NamedPlace{Name: "key"}})}, nil, false, []string{`ApiKey query="key"`}},
		"a key's scheme":                             {[]v1alpha1.Method{from(keys("a"), v1alpha1.Place{Header: &v1alpha1.HeaderPlace{Name: "Authorization", Scheme: "Token"}})}, nil, false, []string{"Token"}},
		"Bearer where there would be none otherwise": {[]v1alpha1.Method{staff("staff")}, nil, true, []string{"Bearer"}},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newWorld(Options{})
			load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", c.methods...)},
				Secrets: []*Object{robot("robot", "a", robotKey), alice("staff")}})
			raw := get("api.example.com", "/", c.headers...)
			raw.TLS = !c.plaintext
			d := e.Decide(t.Context(), raw)
			if got := values(d, "www-authenticate"); d.Status != 401 || !slices.Equal(got, c.want) {
				t.Errorf("expected 401 with %q, got %d with %q", c.want, d.Status, got)
			}
		})
	}
}

func other(m v1alpha1.Method) v1alpha1.Method {
	m.Name = "other"
	return m
}

func TestAPolicyMaySayWhatRefusedCallersGet(t *testing.T) {
	body, empty := "Ask us.\n", ""
	h := func(name, value string) v1alpha1.DenialHeader { return v1alpha1.DenialHeader{Name: name, Value: value} }
	for name, c := range map[string]struct {
		denial  *v1alpha1.Denial
		status  int
		body    string
		headers []authz.Header
	}{
		"nothing": {nil, 401, `{"type":"about:blank","title":"Unauthorized","status":401,"detail":"A credential is required. Send one as www-authenticate says."}`,
			[]authz.Header{header("www-authenticate", "Bearer"), header("content-type", "application/problem+json")}},
		"a status": {&v1alpha1.Denial{Status: 404}, 404, `{"type":"about:blank","status":404,"detail":"A credential is required. Send one as www-authenticate says."}`,
			[]authz.Header{header("www-authenticate", "Bearer"), header("content-type", "application/problem+json")}},
		"a body": {&v1alpha1.Denial{Body: &body}, 401, body,
			[]authz.Header{header("www-authenticate", "Bearer"), header("content-type", "text/plain; charset=utf-8")}},
		"a body of a type": {&v1alpha1.Denial{Body: &body, Headers: []v1alpha1.DenialHeader{h("Content-Type", "text/markdown"), h("X-Help", "y")}}, 401, body,
			[]authz.Header{header("www-authenticate", "Bearer"), header("x-help", "y"), header("content-type", "text/markdown")}},
		"no body": {&v1alpha1.Denial{Body: &empty}, 401, "",
			[]authz.Header{header("www-authenticate", "Bearer")}},
	} {
		t.Run(name, func(t *testing.T) {
			p := onHost("p", "api.example.com", partners(idp))
			p.Spec.Response = &v1alpha1.Response{Unauthenticated: c.denial}
			e, _ := newWorld(Options{})
			load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
			d := e.Decide(t.Context(), get("api.example.com", "/"))
			if d.Outcome != authz.Deny || d.Status != c.status || !reflect.DeepEqual(d.Headers, c.headers) {
				t.Errorf("expected %d and %v, got %s %d and %v", c.status, c.headers, d.Outcome, d.Status, d.Headers)
			}
			if d.Body != c.body {
				t.Errorf("expected the body %q, got %q", c.body, d.Body)
			}
		})
	}
}

func TestA403ForScopesNamesAllThatAreNeeded(t *testing.T) {
	first, second := required(partners(idp)), required(other(partners("https://b.example.com")))
	first.JWT.Scopes, second.JWT.Scopes = []string{"read", "admin"}, []string{"read", "pay"}
	second.JWT.From = []v1alpha1.Place{{Header: &v1alpha1.HeaderPlace{Name: "x-token"}}}
	p := onHost("p", "api.example.com", first, second)
	status := &v1alpha1.Denial{Status: 404}
	p.Spec.Response = &v1alpha1.Response{Unauthorized: status}
	e, _ := newWorld(Options{})
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	d := e.Decide(t.Context(), get("api.example.com", "/",
		header("authorization", "Bearer "+tokenOf(t, idp)), header("x-token", tokenOf(t, "https://b.example.com"))))
	decided(t, d, authz.Deny, 404, authz.InsufficientScope)
	if got := values(d, "www-authenticate"); !slices.Equal(got, []string{`Bearer error="insufficient_scope", scope="read admin pay"`}) {
		t.Errorf("got %q", got)
	}
	if d.Detail != `missing scopes: admin pay; held: "read", "write"` {
		t.Errorf("got %q", d.Detail)
	}
}

func TestA503SaysWhenToAskAgain(t *testing.T) {
	for wait, want := range map[time.Duration]string{0: "5", time.Millisecond: "1", 1500 * time.Millisecond: "2", 30 * time.Second: "30"} {
		e, w := newWorld(Options{})
		w.lookup = func(context.Context, string, string) ([]jwks.Key, error) {
			return nil, &jwks.UnavailableError{RetryAfter: wait, Err: context.DeadlineExceeded}
		}
		load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", partners(idp))}})
		d := e.Decide(t.Context(), get("api.example.com", "/", header("authorization", "Bearer "+tokenOf(t, idp))))
		decided(t, d, authz.Error, 503, authz.Unavailable)
		if got := values(d, "retry-after"); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: expected %s, got %q", wait, want, got)
		}
		if len(values(d, "www-authenticate")) > 0 {
			t.Error("a 503 has a challenge: callers would throw good credentials away")
		}
	}
}
