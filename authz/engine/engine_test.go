package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/find"
	"github.com/agentauth-dev/agentauth/authz/jwks"
)

func TestBeforeTheFirstSwapEverythingIs503(t *testing.T) {
	e, _ := newWorld(Options{AllowUnmatched: true})
	d := e.Decide(t.Context(), get("api.example.com", "/"))
	decided(t, d, authz.Error, 503, authz.Unavailable)
	s, _ := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", anonymous())}})
	decided(t, e.Decide(t.Context(), get("api.example.com", "/")), authz.Error, 503, authz.Unavailable)
	e.Swap(s)
	decided(t, e.Decide(t.Context(), get("api.example.com", "/")), authz.Allow, 0, authz.Allowed)
}

func TestAPanicIs503AndIsTold(t *testing.T) {
	e, w := newWorld(Options{})
	w.lookup = func(context.Context, string, string) ([]jwks.Key, error) { panic("a defect") }
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", partners(idp))}})
	ask := get("api.example.com", "/", header("authorization", "Bearer "+tokenOf(t, idp)))
	decided(t, e.Decide(t.Context(), ask), authz.Error, 503, authz.Internal)
	if len(w.panics) != 1 || w.panics[0] != "a defect" {
		t.Errorf("expected to be told of one panic, got %v", w.panics)
	}
	if d, _ := e.Explain(t.Context(), ask); d.Outcome != authz.Error || len(w.panics) != 2 {
		t.Errorf("expected the same of Explain, got %s and %d panics", d.Outcome, len(w.panics))
	}
	e.deps.Panicked = nil
	decided(t, e.Decide(t.Context(), ask), authz.Error, 503, authz.Internal)
	w.lookup = nil
	decided(t, e.Decide(t.Context(), ask), authz.Allow, 0, authz.Allowed)
}

func TestACheckEndsBeforeItsCallerGivesUp(t *testing.T) {
	e, w := newWorld(Options{})
	var left time.Duration
	w.lookup = func(ctx context.Context, _, _ string) ([]jwks.Key, error) {
		deadline, ok := ctx.Deadline()
		if !ok {
			return nil, errors.New("there is no deadline")
		}
		left = time.Until(deadline)
		return nil, jwks.ErrUnknownKey
	}
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", partners(idp))}})
	ask := get("api.example.com", "/", header("authorization", "Bearer "+tokenOf(t, idp)))
	for caller, most := range map[time.Duration]time.Duration{
		0: 5 * time.Second, time.Hour: 5 * time.Second, 2 * time.Second: 1980 * time.Millisecond,
	} {
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if caller > 0 {
			ctx, cancel = context.WithTimeout(ctx, caller)
		}
		decided(t, e.Decide(ctx, ask), authz.Deny, 401, authz.KeyUnknown)
		cancel()
		if left > most || left < most-time.Second {
			t.Errorf("a caller with %s: expected a little less than %s, got %s", caller, most, left)
		}
	}
}

func TestWhatCannotBeHadInTimeIs503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, w := newWorld(Options{})
		w.lookup = func(ctx context.Context, _, _ string) ([]jwks.Key, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", partners(idp))}})
		for _, given := range []time.Duration{60 * time.Millisecond, time.Minute} {
			ctx, cancel := context.WithTimeout(t.Context(), given)
			start := time.Now()
			d := e.Decide(ctx, get("api.example.com", "/", header("authorization", "Bearer "+tokenOf(t, idp))))
			decided(t, d, authz.Error, 503, authz.Unavailable)
			if took, want := time.Since(start), min(given-max(margin, given/50), maxCheck); took != want {
				t.Errorf("given %s, expected an answer after %s, got it after %s", given, want, took)
			}
			cancel()
		}
	})
}

// everything is an Input with something of each kind, and requests for it.
func everything(t testing.TB) (Input, []authz.Raw) {
	full := setting(onHost("full", "api.example.com", staff("staff"), partners(idp), keys("a")), "x-agent-id", "identity.subject")
	full.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{
		{Name: "no-deletes", When: `request.method == "DELETE"`, Require: "false"},
		{Name: "claims", Require: `identity.claims.size() >= 0`},
	}}
	full.Spec.Response.Metadata = map[string]v1alpha1.Expression{"agent": "identity.subject", "method": "identity.method"}
	full.Spec.Authentication.Methods[1].JWT.Scopes = []string{"read"}
	site := robot("robot", "a", robotKey, "short")
	site.Annotations = map[string]string{v1alpha1.AnnotationScopes: "a b", v1alpha1.AnnotationClaimPrefix + "site": "rotterdam"}
	in := Input{
		Policies: []*v1alpha1.AgentAuthPolicy{
			full, onHost("public", "*.example.com", anonymous()),
			onHost("broken", "broken.example.com", anonymous(), anonymous()),
			onHost("dangling", "dangling.example.com", staff("nowhere")),
		},
		Secrets:    []*Object{alice("staff"), site},
		ConfigMaps: []*Object{object("unused", "jwks", nil)},
	}
	auth := func(v string) authz.Header { return header("authorization", v) }
	return in, []authz.Raw{
		get("api.example.com", "/"), get("www.example.com", "/"), get("broken.example.com", "/"), get("else.test", "/"), get("api.example.com", "//"),
		get("api.example.com", "/", auth("Basic YWxpY2U6c2VzYW1l")), get("api.example.com", "/", auth("Basic YWxpY2U6d3Jvbmc=")),
		get("api.example.com", "/", auth("Bearer "+tokenOf(t, idp))), get("api.example.com", "/", auth("Bearer "+tokenOf(t, "https://evil.example.com"))),
		get("api.example.com", "/", header("x-api-key", robotKey), header("X_Agent_Id", "spoofed")),
		get("api.example.com", "/", header("x-api-key", "a-key-that-nobody-knows")),
		get("dangling.example.com", "/", auth("Basic YWxpY2U6c2VzYW1l")),
	}
}

func TestAnInputIsNeverChanged(t *testing.T) {
	in, requests := everything(t)
	before, _ := everything(t)
	e, _ := newWorld(Options{})
	for range 2 {
		s, _ := e.Compile(in)
		e.Swap(s)
		for _, r := range requests {
			e.Decide(t.Context(), r)
		}
	}
	if !reflect.DeepEqual(in, before) {
		t.Error("compiling or deciding changed the policies, Secrets or ConfigMaps it was given")
	}
}

func TestExplainDecidesAsDecideDoesAndHoldsNoCredential(t *testing.T) {
	in, requests := everything(t)
	e, _ := newWorld(Options{})
	s, _ := e.Compile(in)
	e.Swap(s)
	for i, r := range requests {
		want := e.Decide(t.Context(), r)
		got, steps := e.Explain(t.Context(), r)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("request %d: expected %+v, got %+v", i, want, got)
		}
		if len(steps) == 0 {
			t.Errorf("request %d: nothing is explained", i)
		}
		for _, h := range r.Headers {
			_, credential, ok := strings.Cut(h.Value, " ")
			if !ok {
				credential = h.Value
			}
			if text := fmt.Sprint(steps, got); strings.Contains(text, credential) || strings.Contains(text, "sesame") {
				t.Errorf("request %d: the credential is in %s", i, text)
			}
		}
	}
}

// Whatever is swapped meanwhile, an answer is that of one snapshot or of the
// other: run it with -race.
func TestDecisionsGoOnWhileSnapshotsAreSwapped(t *testing.T) {
	e, _ := newWorld(Options{})
	input := func(value string) Input {
		return Input{
			Policies: []*v1alpha1.AgentAuthPolicy{setting(onHost("p", "api.example.com", keys("a"), partners(idp)), "x-version", "'"+value+"'")},
			Secrets:  []*Object{robot("robot", "a", robotKey)},
		}
	}
	load(t, e, input("odd"))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	raw := tokenOf(t, idp)
	for i := range 4 {
		wg.Go(func() {
			ask := get("api.example.com", "/", header("x-api-key", robotKey))
			if i%2 == 0 {
				ask = get("api.example.com", "/", header("authorization", "Bearer "+raw))
			}
			for {
				select {
				case <-stop:
					return
				default:
				}
				d := e.Decide(context.Background(), ask)
				if d.Outcome != authz.Allow || len(d.Set) != 1 || d.Set[0].Value != "odd" && d.Set[0].Value != "even" {
					t.Errorf("got %+v", d)
					return
				}
				e.Remotes()
			}
		})
	}
	for i := range 200 {
		load(t, e, input([]string{"even", "odd"}[i%2]))
	}
	close(stop)
	wg.Wait()
	e.Close()
	decided(t, e.Decide(t.Context(), get("api.example.com", "/", header("x-api-key", robotKey))), authz.Allow, 0, authz.Allowed)
}

func TestUnmatchedRequestsAreDeniedUnlessTheOperatorSaysOtherwise(t *testing.T) {
	in := Input{Policies: []*v1alpha1.AgentAuthPolicy{
		setting(under(onHost("p", "api.example.com", anonymous()), "/v1"), "x-agent-id", "'me'"),
		under(onHost("broken", "broken.example.com", anonymous(), anonymous()), "/v1"),
	}}
	for _, c := range []struct {
		options Options
		outcome authz.Outcome
		status  int
		reason  authz.Reason
	}{
		{Options{}, authz.Deny, 403, authz.NoPolicy},
		{Options{AllowUnmatched: true}, authz.Allow, 0, authz.Unmatched},
	} {
		e, _ := newWorld(c.options)
		s, _ := e.Compile(in)
		e.Swap(s)
		d := e.Decide(t.Context(), get("else.test", "/"))
		decided(t, d, c.outcome, c.status, c.reason)
		d = e.Decide(t.Context(), get("api.example.com", "/other", header("X_Agent_Id", "spoofed")))
		decided(t, d, c.outcome, c.status, c.reason)
		if d.Outcome == authz.Allow && !reflect.DeepEqual(d.Remove, []string{"x-agent-id", "x_agent_id"}) {
			t.Errorf("expected the spoofed names to be removed, got %v", d.Remove)
		}
		decided(t, e.Decide(t.Context(), get("broken.example.com", "/v1")), authz.Error, 503, authz.PolicyInvalid)
	}
}

func TestAnInvalidPolicyAnswers503AndItsNeighboursDoNot(t *testing.T) {
	broken := under(onHost("broken", "api.example.com", anonymous()), "/broken")
	broken.Spec.Authorization = &v1alpha1.Authorization{Rules: []v1alpha1.Rule{{Name: "r", Require: "no.such.thing"}}}
	e, _ := newWorld(Options{AllowUnmatched: true})
	s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{
		broken, onHost("open", "api.example.com", anonymous()), onHost("wide", "*.example.com", anonymous()),
	}})
	e.Swap(s)
	for path, want := range map[string]struct {
		outcome authz.Outcome
		status  int
		reason  authz.Reason
		policy  string
	}{
		"/":         {authz.Allow, 0, authz.Allowed, "shop/open"},
		"/brokenly": {authz.Allow, 0, authz.Allowed, "shop/open"},
		"/broken":   {authz.Error, 503, authz.PolicyInvalid, "shop/broken"},
		"/broken/x": {authz.Error, 503, authz.PolicyInvalid, "shop/broken"},
	} {
		d := e.Decide(t.Context(), get("api.example.com", path))
		decided(t, d, want.outcome, want.status, want.reason)
		if d.Policy != want.policy {
			t.Errorf("%s: expected policy %s, got %q", path, want.policy, d.Policy)
		}
	}
	if p := named(reports, "broken").Problems; len(p) != 1 || p[0].Severity != authz.Invalid || p[0].Field != "spec.authorization.rules[0].require" {
		t.Errorf("got %v", p)
	}
	if p := named(reports, "open").Problems; p != nil {
		t.Errorf("got %v", p)
	}
}

func TestAPolicyIsNamedOnlyWhereThatIsRead(t *testing.T) {
	in := Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("weak", "weak.example.com", anonymous()), onHost("strong", "api.example.com", keys("a"))}, Secrets: []*Object{robot("robot", "a", robotKey)}}
	for name, c := range map[string]struct {
		options  Options
		selector string
		route    *authz.RouteRef
		outcome  authz.Outcome
		status   int
		reason   authz.Reason
	}{
		"a policy that exists":           {Options{OneTenant: true}, "shop/weak", nil, authz.Allow, 0, authz.Allowed},
		"a policy that does not exist":   {Options{OneTenant: true, AllowUnmatched: true}, "shop/none", nil, authz.Deny, 403, authz.NoPolicy},
		"a policy without its namespace": {Options{OneTenant: true}, "weak", nil, authz.Deny, 403, authz.NoPolicy},
		"no name":                        {Options{OneTenant: true}, "", nil, authz.Deny, 403, authz.NoPolicy},
		"a name where none is read":      {Options{}, "shop/weak", nil, authz.Error, 503, authz.SelectorRefused},
		"a name beside route metadata":   {Options{OneTenant: true}, "shop/weak", &authz.RouteRef{Kind: "HTTPRoute"}, authz.Error, 503, authz.SelectorRefused},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newWorld(c.options)
			load(t, e, in)
			raw := get("api.example.com", "/")
			raw.ContextExtensions, raw.Route = map[string]string{find.ContextPolicy: c.selector}, c.route
			decided(t, e.Decide(t.Context(), raw), c.outcome, c.status, c.reason)
		})
	}
}
