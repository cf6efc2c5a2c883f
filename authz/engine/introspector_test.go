package engine

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/introspect"
	"github.com/agentauth-dev/agentauth/authz/verified"
)

// asking is an engine whose servers answer after 100 ms, by the endpoint and what is
// posted. It counts the requests and keeps the headers.
type asking struct {
	*Engine
	answer func(endpoint string, r introspect.Request) introspect.Response

	mu      sync.Mutex
	asked   int
	headers []string
	closed  atomic.Int32
}

func newAsking(body string) *asking {
	e, _ := newWorld(Options{})
	a := &asking{Engine: e}
	a.answer = func(string, introspect.Request) introspect.Response {
		return introspect.Response{Status: 200, ContentType: "application/json", Body: []byte(body)}
	}
	e.deps.Verified = verified.New(verified.Options{Bytes: 1 << 20})
	e.deps.Remote.Introspector = func(src IntrospectionSource) Introspector {
		return askedServer{introspect.New(introspect.Config{
			Endpoint: src.Endpoint, Client: src.Client, Tenant: src.Tenant,
			Post: func(ctx context.Context, _ string, r introspect.Request) (introspect.Response, error) {
				a.mu.Lock()
				a.asked++
				a.headers = append(a.headers, r.Authorization)
				a.mu.Unlock()
				select {
				case <-time.After(100 * time.Millisecond):
					return a.answer(src.Endpoint, r), nil
				case <-ctx.Done():
					return introspect.Response{}, fmt.Errorf("late: %w", ctx.Err())
				}
			},
		}), a}
	}
	return a
}

type askedServer struct {
	*introspect.Server
	in *asking
}

func (askedServer) Start() {}
func (s askedServer) Close() {
	s.in.closed.Add(1)
	s.Server.Close()
}
func (askedServer) Ready() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (a *asking) inForce(t *testing.T, in Input) []Report {
	t.Helper()
	s, reports := a.Compile(in)
	a.Swap(s)
	return reports
}

func (a *asking) with(t *testing.T, token string) authz.Decision {
	t.Helper()
	raw := get("api.example.com", "/", header("authorization", "Bearer "+token))
	raw.Time = time.Now()
	return a.Decide(t.Context(), raw)
}

// count wants so many requests since the last count.
func (a *asking) count(t *testing.T, want int) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked != want {
		t.Errorf("expected %d requests, got %d", want, a.asked)
	}
	a.asked = 0
}

func opaque(ttl gatewayv1.Duration) v1alpha1.Method {
	return v1alpha1.Method{Name: "opaque", Introspection: &v1alpha1.Introspection{
		Endpoint: idp + "/introspect", AnyAudience: true, CacheTTL: &ttl,
		ClientCredentials: v1alpha1.ClientCredentials{SecretRef: v1alpha1.ObjectReference{Name: "rs-client"}},
	}}
}

func rsClient(secret string) *Object {
	return object("rs-client", v1alpha1.UseClient, map[string]string{"client-id": "rs", "client-secret": secret})
}

func opaqueInput(ttl gatewayv1.Duration) Input {
	return Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", opaque(ttl))}, Secrets: []*Object{rsClient("first")}}
}

func TestAnActiveTokenIsAskedAboutOnceInItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newAsking(`{"active":true,"sub":"agent"}`)
		e.inForce(t, opaqueInput("30s"))
		for range 10 {
			decided(t, e.with(t, "token"), authz.Allow, 0, authz.Allowed)
		}
		e.count(t, 1)
		time.Sleep(29 * time.Second)
		decided(t, e.with(t, "token"), authz.Allow, 0, authz.Allowed)
		e.count(t, 0)
		time.Sleep(time.Second)
		decided(t, e.with(t, "token"), authz.Allow, 0, authz.Allowed)
		e.count(t, 1)
	})
}

func TestAnAnswerIsNotUsedBeyondTheEndOfTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newAsking("")
		end := time.Now().Add(10 * time.Second)
		e.answer = func(string, introspect.Request) introspect.Response {
			return introspect.Response{Status: 200, ContentType: "application/json", Body: fmt.Appendf(nil, `{"active":%t,"exp":%d}`, time.Now().Before(end), end.Unix())}
		}
		e.inForce(t, opaqueInput("5m"))
		decided(t, e.with(t, "token"), authz.Allow, 0, authz.Allowed)
		time.Sleep(9 * time.Second)
		decided(t, e.with(t, "token"), authz.Allow, 0, authz.Allowed)
		e.count(t, 1)
		time.Sleep(time.Second)
		decided(t, e.with(t, "token"), authz.Deny, 401, authz.UnknownCredential)
		e.count(t, 1)
	})
}

func TestWithoutACacheEveryRequestAsksButThoseAtOnceAskTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newAsking(`{"active":true}`)
		e.inForce(t, opaqueInput("0s"))
		for range 3 {
			decided(t, e.with(t, "token"), authz.Allow, 0, authz.Allowed)
		}
		e.count(t, 3)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { decided(t, e.with(t, "token"), authz.Allow, 0, authz.Allowed) })
		}
		all.Wait()
		e.count(t, 1)
	})
}

func TestATokenThatIsNotActiveIsAskedAboutOnceInFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newAsking(`{"active":false}`)
		e.inForce(t, opaqueInput("30s"))
		for range 10 {
			decided(t, e.with(t, "token"), authz.Deny, 401, authz.UnknownCredential)
		}
		e.count(t, 1)
		time.Sleep(5 * time.Second)
		decided(t, e.with(t, "token"), authz.Deny, 401, authz.UnknownCredential)
		e.count(t, 1)
	})
}

func TestAFailureIsKeptForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newAsking(`{"active":true}`)
		good := e.answer
		e.answer = func(string, introspect.Request) introspect.Response { return introspect.Response{Status: 500} }
		e.inForce(t, opaqueInput("30s"))
		d := e.with(t, "token")
		decided(t, d, authz.Error, 503, authz.Unavailable)
		if !slices.Contains(d.Headers, authz.Header{Name: "retry-after", Value: "1"}) || d.Method != "opaque" {
			t.Errorf("expected a time to ask again of the method opaque, got %v of %q", d.Headers, d.Method)
		}
		e.answer = good
		decided(t, e.with(t, "token"), authz.Allow, 0, authz.Allowed)
		e.answer = func(string, introspect.Request) introspect.Response { return introspect.Response{Status: 401} }
		decided(t, e.with(t, "token"), authz.Allow, 0, authz.Allowed) // it is kept
		decided(t, e.with(t, "new"), authz.Error, 503, authz.Unavailable)
	})
}

func TestACheckEndsAtItsDeadlineHoweverSlowTheServerIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newAsking(`{"active":true}`)
		e.inForce(t, opaqueInput("30s"))
		ctx, cancel := context.WithTimeout(t.Context(), 70*time.Millisecond)
		defer cancel()
		raw := get("api.example.com", "/", header("authorization", "Bearer token"))
		start := time.Now()
		decided(t, e.Decide(ctx, raw), authz.Error, 503, authz.Unavailable)
		if took := time.Since(start); took != 50*time.Millisecond {
			t.Errorf("expected the answer 20 ms before the end, got it after %s", took)
		}
	})
}

func TestARotatedClientSecretIsUsedByTheNextRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newAsking(`{"active":true}`)
		in := opaqueInput("30s")
		e.inForce(t, in)
		decided(t, e.with(t, "token"), authz.Allow, 0, authz.Allowed)
		in.Policies = []*v1alpha1.AgentAuthPolicy{setting(onHost("p", "api.example.com", opaque("30s")), "x-a", `"a"`)}
		in.Policies[0].Generation = 2
		e.inForce(t, in)
		decided(t, e.with(t, "token"), authz.Allow, 0, authz.Allowed)
		e.count(t, 1) // what was kept stays with an edit of something else
		in.Secrets = []*Object{rsClient("second")}
		e.inForce(t, in)
		decided(t, e.with(t, "token"), authz.Allow, 0, authz.Allowed)
		e.count(t, 1)
		for i, want := range []string{"rs:first", "rs:second"} {
			if got := e.headers[i]; got != "Basic "+base64.StdEncoding.EncodeToString([]byte(want)) {
				t.Errorf("request %d: got %s", i, got)
			}
		}
		if e.closed.Load() != 1 {
			t.Error("expected the server with the old secret to be closed")
		}
	})
}

func TestACheckThatAsksEndsWithTheClientItBeganWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newAsking(`{"active":true}`)
		in := opaqueInput("30s")
		e.inForce(t, in)
		var one sync.WaitGroup
		one.Go(func() { decided(t, e.with(t, "token"), authz.Allow, 0, authz.Allowed) })
		synctest.Wait()
		in.Secrets = []*Object{rsClient("second")}
		e.inForce(t, in)
		one.Wait()
		e.count(t, 1)
	})
}

func TestTheSecretOfAClientIsReadStrictly(t *testing.T) {
	const secret = "hunter2-is-the-secret"
	for name, c := range map[string]struct {
		secrets   []*Object
		condition string
		message   string
	}{
		"missing":                 {nil, v1alpha1.ReasonRefNotFound, "Secret shop/rs-client"},
		"for another use":         {[]*Object{object("rs-client", v1alpha1.UseHMAC, map[string]string{"client-id": "a", "client-secret": secret})}, v1alpha1.ReasonRefNotPermitted, "labelled agentauth.dev/use: hmac"},
		"without an id":           {[]*Object{object("rs-client", v1alpha1.UseClient, map[string]string{"client-secret": secret})}, v1alpha1.ReasonRefInvalid, "client-id"},
		"without a secret":        {[]*Object{object("rs-client", v1alpha1.UseClient, map[string]string{"client-id": "a"})}, v1alpha1.ReasonRefInvalid, "client-secret"},
		"an empty secret":         {[]*Object{rsClient("")}, v1alpha1.ReasonRefInvalid, "it is empty"},
		"a line break at its end": {[]*Object{rsClient(secret + "\n")}, v1alpha1.ReasonRefInvalid, "line break"},
		"a control character":     {[]*Object{rsClient(secret + "\x00x")}, v1alpha1.ReasonRefInvalid, "control characters"},
		"no UTF-8":                {[]*Object{rsClient(secret + "\xff")}, v1alpha1.ReasonRefInvalid, "UTF-8"},
		"too long":                {[]*Object{rsClient(strings.Repeat(secret, 300))}, v1alpha1.ReasonRefInvalid, "at most 4096 bytes"},
		"good":                    {[]*Object{rsClient(secret)}, v1alpha1.ReasonResolvedRefs, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := newAsking(`{"active":true}`)
			in := opaqueInput("30s")
			in.Secrets = c.secrets
			condition := e.inForce(t, in)[0].Conditions[2]
			if condition.Reason != c.condition || !strings.Contains(condition.Message, c.message) || strings.Contains(condition.Message, "hunter2") {
				t.Errorf("expected %s with %q, got %s: %s", c.condition, c.message, condition.Reason, condition.Message)
			}
			d := e.with(t, "token")
			if good := c.condition == v1alpha1.ReasonResolvedRefs; good != (d.Outcome == authz.Allow) {
				t.Errorf("got %s %s", d.Outcome, d.Reason)
			} else if !good {
				decided(t, d, authz.Error, 503, authz.Unavailable)
			}
			decided(t, e.Decide(t.Context(), get("api.example.com", "/")), authz.Deny, 401, authz.NoCredential)
		})
	}
}

func TestTheKeyOfAClientIsReadStrictly(t *testing.T) {
	key, err := x509.MarshalPKCS8PrivateKey(signingKey())
	if err != nil {
		t.Fatal(err)
	}
	good := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	for name, c := range map[string]struct {
		data      map[string]string
		condition string
	}{
		"good":                       {map[string]string{"client-id": "a", "tls.key": good}, v1alpha1.ReasonResolvedRefs},
		"with a kid":                 {map[string]string{"client-id": "a", "tls.key": good, "key-id": "first"}, v1alpha1.ReasonResolvedRefs},
		"a kid with a line break":    {map[string]string{"client-id": "a", "tls.key": good, "key-id": "first\n"}, v1alpha1.ReasonRefInvalid},
		"a secret in place of a key": {map[string]string{"client-id": "a", "client-secret": "hunter2"}, v1alpha1.ReasonRefInvalid},
		"a key that is none":         {map[string]string{"client-id": "a", "tls.key": "hunter2"}, v1alpha1.ReasonRefInvalid},
		"an empty key":               {map[string]string{"client-id": "a", "tls.key": ""}, v1alpha1.ReasonRefInvalid},
		"an algorithm":               {map[string]string{"client-id": "a", "tls.key": good, "alg": "ES256"}, v1alpha1.ReasonResolvedRefs},
		"an algorithm of other keys": {map[string]string{"client-id": "a", "tls.key": good, "alg": "PS256"}, v1alpha1.ReasonRefInvalid},
		"an algorithm for none":      {map[string]string{"client-id": "a", "tls.key": "hunter2", "alg": "PS256"}, v1alpha1.ReasonRefInvalid},
		"a key without an id":        {map[string]string{"tls.key": good}, v1alpha1.ReasonRefInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			e := newAsking(`{"active":true}`)
			in := opaqueInput("30s")
			in.Policies[0].Spec.Authentication.Methods[0].Introspection.ClientCredentials.Authentication = v1alpha1.ClientPrivateKeyJWT
			in.Secrets = []*Object{object("rs-client", v1alpha1.UseClient, c.data)}
			condition := e.inForce(t, in)[0].Conditions[2]
			if condition.Reason != c.condition || strings.Contains(condition.Message, "hunter2") {
				t.Errorf("expected %s, got %s: %s", c.condition, condition.Reason, condition.Message)
			}
			if d := e.with(t, "token"); (d.Outcome == authz.Allow) != (c.condition == v1alpha1.ReasonResolvedRefs) {
				t.Errorf("got %s: %s", d.Reason, d.Detail)
			}
		})
	}
}

func TestAServerIsListedWithTheMethodsThatAskIt(t *testing.T) {
	e := newAsking(`{"active":true}`)
	e.answer = func(string, introspect.Request) introspect.Response { return introspect.Response{Status: 500} }
	in := opaqueInput("30s")
	other := opaque("5s")
	other.Name = "other"
	in.Policies = append(in.Policies, onHost("q", "other.example.com", other))
	e.inForce(t, in)
	e.with(t, "token")
	got := e.Introspectors()
	if len(got) != 1 {
		t.Fatalf("expected one server of both policies, got %+v", got)
	}
	want := []string{"shop/p method opaque", "shop/q method other"}
	if s := got[0]; s.Endpoint != idp+"/introspect" || !slices.Equal(s.Methods, want) || s.Failures != 1 || s.Error != "answered 500, 200 was expected" {
		t.Errorf("got %+v", s)
	}
}

func TestTenantsShareNoServer(t *testing.T) {
	e := newAsking(`{"active":true}`)
	in := opaqueInput("30s")
	theirs, secret := onHost("p", "other.example.com", opaque("30s")), *rsClient("first")
	theirs.Namespace, secret.Namespace = "bank", "bank"
	in.Policies, in.Secrets = append(in.Policies, theirs), append(in.Secrets, &secret)
	e.inForce(t, in)
	if got := e.Introspectors(); len(got) != 2 {
		t.Errorf("expected two servers, got %+v", got)
	}
}

func TestAnEndpointThatIsRefusedIsTold(t *testing.T) {
	e := newAsking(`{"active":true}`)
	e.deps.Remote.CheckURL = func(string) error { return fmt.Errorf("an http URL") }
	r := e.inForce(t, opaqueInput("30s"))[0]
	if !warns(r, "nobody can be asked about tokens: an http URL") {
		t.Errorf("expected a warning, got %v", r.Problems)
	}
}

func TestWhereNobodyIsAskedTheMethodIsUnavailable(t *testing.T) {
	e := newAsking("")
	e.deps.Remote.Introspector = nil
	e.inForce(t, opaqueInput("30s"))
	d := e.with(t, "token")
	decided(t, d, authz.Error, 503, authz.Unavailable)
	if !strings.Contains(d.Detail, "--network") {
		t.Errorf("got %q", d.Detail)
	}
}

func TestAFloodOfRandomTokensEvictsNoGoodOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newAsking("")
		e.answer = func(_ string, r introspect.Request) introspect.Response {
			return introspect.Response{Status: 200, ContentType: "application/json", Body: fmt.Appendf(nil, `{"active":%t}`, strings.Contains(r.Form, "good"))}
		}
		e.inForce(t, opaqueInput("5m"))
		decided(t, e.with(t, "good"), authz.Allow, 0, authz.Allowed)
		for i := range 500 {
			decided(t, e.with(t, fmt.Sprint("random-", i)), authz.Deny, 401, authz.UnknownCredential)
		}
		e.count(t, 501)
		decided(t, e.with(t, "good"), authz.Allow, 0, authz.Allowed)
		e.count(t, 0)
	})
}

// keptJWT is a policy whose tokens are kept.
func keptJWT(t testing.TB) *v1alpha1.AgentAuthPolicy {
	m := partners(idp)
	m.JWT.JWKS = &v1alpha1.JWKS{Inline: publicSet(t)}
	return onHost("jwt", "jwt.example.com", m)
}

func TestATokenThatIsKeptCostsWhatAKeptJWTCosts(t *testing.T) {
	e := newAsking(`{"active":true,"sub":"agent","scope":"read write","aud":"api","exp":1800000600}`)
	in := opaqueInput("5m")
	in.Policies = append(in.Policies, keptJWT(t))
	e.inForce(t, in)
	signed := tokenOf(t, idp)
	allocations := func(host, token string) float64 {
		raw := get(host, "/", header("authorization", "Bearer "+token))
		return testing.AllocsPerRun(100, func() { decided(t, e.Decide(t.Context(), raw), authz.Allow, 0, authz.Allowed) })
	}
	// Under the race detector a pool drops some of what it is given.
	const dropped = 2
	if jwt, opaque := allocations("jwt.example.com", signed), allocations("api.example.com", "token"); opaque > jwt+dropped {
		t.Errorf("expected about the %v allocations of a JWT, got %v", jwt, opaque)
	}
	e.count(t, 1)
}

func BenchmarkKeptTokens(b *testing.B) {
	e := newAsking(`{"active":true,"sub":"agent","scope":"read write","aud":"api","exp":1800000600}`)
	in := opaqueInput("5m")
	in.Policies = append(in.Policies, keptJWT(b))
	s, _ := e.Compile(in)
	e.Swap(s)
	for host, token := range map[string]string{"jwt.example.com": tokenOf(b, idp), "api.example.com": "2YotnFZFEjr1zCsicMWpAA"} {
		raw := get(host, "/", header("authorization", "Bearer "+token))
		b.Run(host, func(b *testing.B) {
			e.Decide(b.Context(), raw) // asks
			b.ReportAllocs()
			for b.Loop() {
				if d := e.Decide(b.Context(), raw); d.Outcome != authz.Allow {
					b.Fatal(d.Detail)
				}
			}
		})
	}
}

// A password whose table is missing, or that has no turn, could be anybody's.
func TestAServerIsNotAskedAboutAPasswordThatCannotBeChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsking(`{"active":true,"sub":"agent"}`)
		asks := opaque("30s")
		asks.Introspection.From = []v1alpha1.Place{{Header: &v1alpha1.HeaderPlace{Name: "authorization", Scheme: "Basic"}}}
		local := staff("nowhere")
		local.Basic.AllowPlaintext = true
		in := opaqueInput("30s")
		in.Policies = []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", asks, local)}
		a.inForce(t, in)
		raw := get("api.example.com", "/", header("authorization", "Basic dXNlcjpwYXNz"))
		if d := a.Decide(t.Context(), raw); d.Outcome != authz.Error || d.Reason != authz.Unavailable || d.Method != "staff" {
			t.Errorf("expected the method staff to be unavailable, got %+v", d)
		}
		a.count(t, 0)
	})
}
