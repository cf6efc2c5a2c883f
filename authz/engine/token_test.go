package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/upstream"
)

// endpoints counts the token endpoints that an engine made and closed, and how often
// one was asked.
type endpoints struct{ made, closed, asked int }

type countedEndpoint struct {
	*endpoints
	number int
}

func (countedEndpoint) Start()   {}
func (e countedEndpoint) Close() { e.closed++ }
func (countedEndpoint) Ready() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (e countedEndpoint) Token(context.Context, upstream.Caller) (string, error) {
	e.asked++
	return fmt.Sprintf("token-%d", e.number), nil
}

func withTokens() (*Engine, *endpoints) {
	e, _ := newWorld(Options{})
	n := &endpoints{}
	e.deps.Remote.Tokens = func(upstream.Settings) TokenServer {
		n.made++
		return countedEndpoint{n, n.made}
	}
	return e, n
}

func tokened(name, host string, scopes ...string) *v1alpha1.AgentAuthPolicy {
	p := setting(onHost(name, host, anonymous()), "x-a", `"a"`)
	p.Spec.Response.Upstream.Token = &v1alpha1.UpstreamToken{ClientCredentials: &v1alpha1.ClientCredentialsToken{
		TokenEndpoint: idp + "/token", ClientCredentials: v1alpha1.ClientCredentials{SecretRef: v1alpha1.ObjectReference{Name: "rs-client"}},
		TokenTarget: v1alpha1.TokenTarget{Scopes: scopes},
	}}
	return p
}

func tokenOn(t *testing.T, e *Engine, host string) string {
	t.Helper()
	d := e.Decide(t.Context(), get(host, "/"))
	decided(t, d, authz.Allow, 0, authz.Allowed)
	for _, h := range d.Set {
		if h.Name == "authorization" && d.Token == h.Name {
			return h.Value
		}
	}
	t.Fatalf("expected a token, got %v", d.Set)
	return ""
}

func TestATokenIsSharedByPoliciesThatAskForTheSame(t *testing.T) {
	e, n := withTokens()
	other := tokened("other", "other.example.com", "read")
	other.Namespace = "bank"
	secret := rsClient("first")
	secret.Namespace = "bank"
	in := Input{Policies: []*v1alpha1.AgentAuthPolicy{tokened("a", "a.example.com", "read"), tokened("b", "b.example.com", "read"), tokened("c", "c.example.com", "write"), other},
		Secrets: []*Object{rsClient("first"), secret}}
	s, _ := e.Compile(in)
	e.Swap(s)
	a := tokenOn(t, e, "a.example.com")
	if tokenOn(t, e, "b.example.com") != a || tokenOn(t, e, "c.example.com") == a || tokenOn(t, e, "other.example.com") == a || n.made != 3 {
		t.Errorf("expected one for both policies of a namespace that ask for the same, got %+v", n)
	}
}

func TestAnEditOfSomethingElseKeepsTheTokenAndANewSecretDoesNot(t *testing.T) {
	e, n := withTokens()
	in := Input{Policies: []*v1alpha1.AgentAuthPolicy{tokened("a", "a.example.com")}, Secrets: []*Object{rsClient("first")}}
	s, _ := e.Compile(in)
	e.Swap(s)
	first := tokenOn(t, e, "a.example.com")
	edited := tokened("a", "a.example.com")
	edited.Generation, edited.Spec.Response.Upstream.Headers[0].Value = 2, `"b"`
	in.Policies[0] = edited
	s, _ = e.Compile(in)
	e.Swap(s)
	if tokenOn(t, e, "a.example.com") != first || n.closed != 0 {
		t.Errorf("expected the same token, got another one and %+v", n)
	}
	in.Secrets = []*Object{rsClient("second")}
	s, _ = e.Compile(in)
	e.Swap(s)
	if tokenOn(t, e, "a.example.com") == first || n.closed != 1 {
		t.Errorf("expected a token of the new secret, got that of the old one and %+v", n)
	}
	e.Close()
	if n.closed != 2 {
		t.Errorf("expected that nothing runs any more, got %+v", n)
	}
}

func TestNobodyIsAskedForARequestThatIsRefused(t *testing.T) {
	e, n := withTokens()
	p := tokened("a", "a.example.com")
	p.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{{Name: "never", Require: "request.path == '/may'"}}}
	p.Spec.Response.Upstream.Headers = append(p.Spec.Response.Upstream.Headers, v1alpha1.UpstreamHeader{Name: "x-fails", Value: `request.headers["x-there"]`})
	s, _ := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p}, Secrets: []*Object{rsClient("first")}})
	e.Swap(s)
	decided(t, e.Decide(t.Context(), get("a.example.com", "/")), authz.Deny, 403, authz.RuleDenied)
	decided(t, e.Decide(t.Context(), get("a.example.com", "/may")), authz.Error, 503, authz.ExpressionFailed)
	if n.asked != 0 {
		t.Errorf("expected that nobody is asked, got %d", n.asked)
	}
	decided(t, e.Decide(t.Context(), get("a.example.com", "/may", header("x-there", "x"))), authz.Allow, 0, authz.Allowed)
	if n.asked != 1 {
		t.Errorf("expected one that is asked, got %d", n.asked)
	}
}

func TestATokenIsInNoStepAndNoDetail(t *testing.T) {
	e, _ := withTokens()
	s, _ := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{tokened("a", "a.example.com")}, Secrets: []*Object{rsClient("first")}})
	e.Swap(s)
	d, steps := e.Explain(t.Context(), get("a.example.com", "/"))
	if text := fmt.Sprintf("%v %v %v", steps, d.Shown(), d.Detail); strings.Contains(text, "token-1") || !strings.Contains(text, "(a token)") {
		t.Errorf("expected that the token is not shown, got %s", text)
	}
}

func TestTheKeyOfAProviderIsReadStrictly(t *testing.T) {
	const key = "hunter2-is-the-key"
	for name, c := range map[string]struct {
		secret    *Object
		condition string
		message   string
	}{
		"missing":                 {object("another", v1alpha1.UseProvider, nil), v1alpha1.ReasonRefNotFound, "Secret shop/key"},
		"for another use":         {object("key", v1alpha1.UseClient, map[string]string{"token": key}), v1alpha1.ReasonRefNotPermitted, "labelled agentauth.dev/use: client"},
		"without the entry":       {object("key", v1alpha1.UseProvider, map[string]string{"other": key}), v1alpha1.ReasonRefInvalid, "no such entry"},
		"empty":                   {object("key", v1alpha1.UseProvider, map[string]string{"token": ""}), v1alpha1.ReasonRefInvalid, "it is empty"},
		"a line break at its end": {object("key", v1alpha1.UseProvider, map[string]string{"token": key + "\n"}), v1alpha1.ReasonRefInvalid, "line break"},
		"a line break inside":     {object("key", v1alpha1.UseProvider, map[string]string{"token": key + "\nx: y"}), v1alpha1.ReasonRefInvalid, "a header can have"},
		"white space at its end":  {object("key", v1alpha1.UseProvider, map[string]string{"token": key + " "}), v1alpha1.ReasonRefInvalid, "a header can have"},
		"good":                    {object("key", v1alpha1.UseProvider, map[string]string{"token": key}), v1alpha1.ReasonResolvedRefs, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newWorld(Options{})
			p := setting(onHost("p", "api.example.com", anonymous()), "x-a", `"a"`)
			p.Spec.Response.Upstream.Token = &v1alpha1.UpstreamToken{Secret: &v1alpha1.SecretToken{SecretRef: v1alpha1.ObjectKeyReference{Name: "key"}}}
			s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{p}, Secrets: []*Object{c.secret}})
			e.Swap(s)
			condition := reports[0].Conditions[2]
			if condition.Reason != c.condition || !strings.Contains(condition.Message, c.message) || strings.Contains(condition.Message, "hunter2") {
				t.Errorf("expected %s with %q, got %s: %s", c.condition, c.message, condition.Reason, condition.Message)
			}
			d := e.Decide(t.Context(), get("api.example.com", "/"))
			if c.condition == v1alpha1.ReasonResolvedRefs {
				decided(t, d, authz.Allow, 0, authz.Allowed)
				return
			}
			decided(t, d, authz.Error, 503, authz.UpstreamTokenUnavailable)
			if len(d.Set) > 0 || strings.Contains(d.Detail, "hunter2") {
				t.Errorf("got %v, %s", d.Set, d.Detail)
			}
		})
	}
}

func TestATokenThatComesTooLateAllowsNothing(t *testing.T) {
	e, _ := newWorld(Options{})
	e.deps.Remote.Tokens = func(upstream.Settings) TokenServer { return slowEndpoint{countedEndpoint{&endpoints{}, 1}} }
	s, _ := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{tokened("a", "a.example.com")}, Secrets: []*Object{rsClient("first")}})
	e.Swap(s)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer cancel()
	decided(t, e.Decide(ctx, get("a.example.com", "/")), authz.Error, 503, authz.Unavailable)
}

// slowEndpoint has a token when the time of the check is over.
type slowEndpoint struct{ countedEndpoint }

func (s slowEndpoint) Token(ctx context.Context, c upstream.Caller) (string, error) {
	<-ctx.Done()
	return s.countedEndpoint.Token(ctx, c)
}
