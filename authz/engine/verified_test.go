package engine

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/verified"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// providers hold key sets that a test changes while they are in use, and a clock.
type providers struct {
	sets map[string]*issuer
	now  atomic.Int64
}

// issuer is a key set of an issuer. nil: it is down.
type issuer struct {
	keys    atomic.Pointer[jwks.Set]
	lookups atomic.Int64
	ready   chan struct{}
}

func (i *issuer) Start()                 {}
func (i *issuer) Close()                 {}
func (i *issuer) Ready() <-chan struct{} { return i.ready }
func (i *issuer) Status() jwks.Status    { return jwks.Status{} }

func (i *issuer) Lookup(ctx context.Context, kid, alg string) ([]jwks.Key, error) {
	i.lookups.Add(1)
	if s := i.keys.Load(); s != nil {
		return (*s).Lookup(ctx, kid, alg)
	}
	return nil, &jwks.UnavailableError{RetryAfter: time.Second, Err: fmt.Errorf("the issuer is down")}
}

func (i *issuer) Renewed(context.Context, string, string, []jwks.Key) ([]jwks.Key, error) {
	return nil, jwks.ErrUnknownKey
}

func (i *issuer) Fingerprint() (f jwks.Fingerprint, ok bool) {
	if s := i.keys.Load(); s != nil {
		return jwks.FingerprintOf(*s)
	}
	return f, false
}

// hold makes the keys of an issuer those with these names; none: it is down.
func (i *issuer) hold(t testing.TB, names ...string) {
	t.Helper()
	if len(names) == 0 {
		i.keys.Store(nil)
		return
	}
	var keys []jwks.Key
	for _, name := range names {
		thumbprint, err := (&jose.JSONWebKey{Key: keyNamed(name).Public()}).Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, jwks.Key{ID: name, Algorithms: []string{"ES256"}, Public: keyNamed(name).Public(),
			Thumbprint: base64.RawURLEncoding.EncodeToString(thumbprint)})
	}
	set := jwks.Static(keys)
	i.keys.Store(&set)
}

func newProviders(t testing.TB) *providers {
	w := &providers{sets: map[string]*issuer{}}
	w.now.Store(clock.Unix())
	for _, name := range []string{idp, otherIDP} {
		w.sets[name] = &issuer{ready: make(chan struct{})}
		w.sets[name].hold(t, "one")
	}
	return w
}

const otherIDP = "https://other.example.com"

func (w *providers) clock() time.Time { return time.Unix(w.now.Load(), 0) }

// engine is one that keeps what it verified in a cache, if there is one.
func (w *providers) engine(cache *verified.Cache) *Engine {
	return New(Deps{
		Passwords: password.New(work.New(work.Options{Slots: 1}), password.Options{}),
		Scheduler: work.New(work.Options{Slots: 1}),
		Remote:    Remote{Keys: func(src RemoteSource) RemoteKeys { return w.sets[src.Issuer] }},
		Verified:  cache,
	}, Options{})
}

func (w *providers) cache() *verified.Cache {
	return verified.New(verified.Options{Bytes: 1 << 20, Now: w.clock})
}

// get is a request of now with a token.
func (w *providers) get(token string) authz.Raw {
	raw := get("api.example.com", "/", header("authorization", "Bearer "+token))
	raw.Time = w.clock()
	return raw
}

// keyNamed is a key that stays the same for a name.
func keyNamed(name string) *ecdsa.PrivateKey {
	k, _ := namedTestKeys.LoadOrStore(name, sync.OnceValue(func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	}))
	return k.(func() *ecdsa.PrivateKey)()
}

var namedTestKeys sync.Map

// signedBy is a token of claims, signed by the key of a name.
func signedBy(t testing.TB, name, claims string) string {
	t.Helper()
	return signed(t, jose.ES256, jose.JSONWebKey{Key: keyNamed(name), KeyID: name}, claims)
}

func signed(t testing.TB, alg jose.SignatureAlgorithm, key any, claims string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := signer.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := s.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// agent are claims of an agent that end an hour from the clock.
func agent(issuer string) string {
	return fmt.Sprintf(`{"iss":%q,"aud":"api","sub":"agent","scope":"read write","exp":%d}`, issuer, clock.Unix()+3600)
}

// hotOf is an engine with one policy that has decided about a token.
func hotOf(t *testing.T, p *v1alpha1.AgentAuthPolicy, token string) (*providers, *Engine, *verified.Cache) {
	t.Helper()
	w := newProviders(t)
	cache := w.cache()
	e := w.engine(cache)
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	for range 2 {
		decided(t, e.Decide(t.Context(), w.get(token)), authz.Allow, 0, authz.Allowed)
	}
	if s := cache.Stats(); s.Hits != 1 || s.Entries != 1 || s.Bytes == 0 {
		t.Fatalf("expected one entry and one hit, got %+v", s)
	}
	return w, e, cache
}

func api(methods ...v1alpha1.Method) *v1alpha1.AgentAuthPolicy {
	return onHost("p", "api.example.com", methods...)
}

func TestATokenThatIsKeptEndsWithItsExp(t *testing.T) {
	token := signedBy(t, "one", agent(idp))
	w, e, _ := hotOf(t, api(partners(idp)), token)
	raw := w.get(token)
	raw.Time = clock.Add(time.Hour + 30*time.Second - time.Nanosecond)
	decided(t, e.Decide(t.Context(), raw), authz.Allow, 0, authz.Allowed)
	raw.Time = clock.Add(time.Hour + 30*time.Second)
	decided(t, e.Decide(t.Context(), raw), authz.Deny, 401, authz.TokenExpired)
}

func TestAKeyThatIsRemovedEndsWhatItVerified(t *testing.T) {
	token := signedBy(t, "one", agent(idp))
	w, e, _ := hotOf(t, api(partners(idp)), token)
	w.sets[idp].hold(t, "two")
	decided(t, e.Decide(t.Context(), w.get(token)), authz.Deny, 401, authz.KeyUnknown)
	w.sets[idp].hold(t)
	decided(t, e.Decide(t.Context(), w.get(token)), authz.Error, 503, authz.Unavailable)
	w.sets[idp].hold(t, "two", "one")
	decided(t, e.Decide(t.Context(), w.get(token)), authz.Allow, 0, authz.Allowed)
}

func TestAKeyThatIsReplacedUnderItsKidEndsWhatItVerified(t *testing.T) {
	token := signedBy(t, "one", agent(idp))
	w, e, _ := hotOf(t, api(partners(idp)), token)
	other := &issuer{}
	other.hold(t, "two")
	keys, _ := other.Lookup(t.Context(), "two", "ES256")
	key := keys[0]
	key.ID = "one"
	set := jwks.Static([]jwks.Key{key})
	w.sets[idp].keys.Store(&set)
	decided(t, e.Decide(t.Context(), w.get(token)), authz.Deny, 401, authz.SignatureInvalid)
}

func TestKeysThatAreFetchedAgainKeepWhatTheyVerified(t *testing.T) {
	token := signedBy(t, "one", agent(idp))
	w, e, _ := hotOf(t, api(partners(idp)), token)
	w.sets[idp].hold(t, "one")
	before := w.sets[idp].lookups.Load()
	decided(t, e.Decide(t.Context(), w.get(token)), authz.Allow, 0, authz.Allowed)
	if n := w.sets[idp].lookups.Load() - before; n != 0 {
		t.Errorf("the token was verified again, %d look-ups of keys", n)
	}
}

func TestAPolicyThatIsTightenedEndsWhatWasKept(t *testing.T) {
	token := signedBy(t, "one", agent(idp))
	for name, c := range map[string]struct {
		change func(*v1alpha1.JWT)
		reason authz.Reason
	}{
		"another audience":       {func(j *v1alpha1.JWT) { j.Audiences = []string{"payments"} }, authz.AudienceMismatch},
		"another issuer":         {func(j *v1alpha1.JWT) { j.Issuer = otherIDP }, authz.IssuerMismatch},
		"another algorithm":      {func(j *v1alpha1.JWT) { j.Algorithms = []v1alpha1.Algorithm{"RS256"} }, authz.SignatureInvalid},
		"a type":                 {func(j *v1alpha1.JWT) { j.TokenTypes = []string{"at+jwt"} }, authz.TokenTypeRefused},
		"a mapping that refuses": {func(j *v1alpha1.JWT) { j.ClaimMappings = &v1alpha1.ClaimMappings{Subject: "claims.nobody"} }, authz.ClaimsRefused},
	} {
		t.Run(name, func(t *testing.T) {
			w, e, _ := hotOf(t, api(partners(idp)), token)
			p := api(partners(idp))
			p.Generation = 2
			c.change(p.Spec.Authentication.Methods[0].JWT)
			load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
			for range 2 {
				decided(t, e.Decide(t.Context(), w.get(token)), authz.Deny, 401, c.reason)
			}
		})
	}
}

func TestAnotherMappingIsUsedAtOnce(t *testing.T) {
	token := signedBy(t, "one", agent(idp))
	w, e, _ := hotOf(t, api(partners(idp)), token)
	p := api(partners(idp))
	p.Generation = 2
	p.Spec.Authentication.Methods[0].JWT.ClaimMappings = &v1alpha1.ClaimMappings{Subject: `"the " + claims.sub`, Groups: `["all"]`}
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	for range 2 {
		d := e.Decide(t.Context(), w.get(token))
		if d.Identity == nil || d.Identity.Subject != "the agent" || !slices.Equal(d.Identity.Groups, []string{"all"}) {
			t.Errorf("got %+v", d.Identity)
		}
	}
}

func TestAnEditOfAHeaderKeepsWhatWasVerified(t *testing.T) {
	token := signedBy(t, "one", agent(idp))
	w, e, cache := hotOf(t, api(partners(idp)), token)
	p := setting(api(partners(idp)), "x-agent-id", "identity.subject")
	p.Generation = 2
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	d := e.Decide(t.Context(), w.get(token))
	if s := cache.Stats(); s.Hits != 2 || s.Entries != 1 || len(d.Set) != 1 || d.Set[0].Value != "agent" {
		t.Errorf("expected a hit, got %+v and %+v", s, d)
	}
}

func TestASecretThatIsReplacedEndsWhatItVerified(t *testing.T) {
	const first, second = "the-first-secret-of-32-bytes-0000", "the-second-secret-of-32-bytes-000"
	method := v1alpha1.Method{Name: "m", JWT: &v1alpha1.JWT{Issuer: idp, Audiences: []string{"api"},
		HMAC: &v1alpha1.HMAC{SecretRef: v1alpha1.ObjectKeyReference{Name: "s"}}}}
	w := newProviders(t)
	e := w.engine(w.cache())
	in := func(secret string) Input {
		return Input{Policies: []*v1alpha1.AgentAuthPolicy{api(method)},
			Secrets: []*Object{object("s", v1alpha1.UseHMAC, map[string]string{"secret": secret})}}
	}
	old, renewed := signed(t, jose.HS256, []byte(first), agent(idp)), signed(t, jose.HS256, []byte(second), agent(idp))
	load(t, e, in(first))
	for range 2 {
		decided(t, e.Decide(t.Context(), w.get(old)), authz.Allow, 0, authz.Allowed)
	}
	load(t, e, in(second))
	decided(t, e.Decide(t.Context(), w.get(old)), authz.Deny, 401, authz.SignatureInvalid)
	decided(t, e.Decide(t.Context(), w.get(renewed)), authz.Allow, 0, authz.Allowed)
	s, _ := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{api(method)}})
	e.Swap(s)
	for _, token := range []string{old, renewed} {
		decided(t, e.Decide(t.Context(), w.get(token)), authz.Error, 503, authz.Unavailable)
	}
}

func TestTwoTokensThatShareAPrefixAreTwo(t *testing.T) {
	token := signedBy(t, "one", agent(idp))
	w, e, cache := hotOf(t, api(partners(idp)), token)
	again := signedBy(t, "one", agent(idp)) // the same claims, another signature
	dot := strings.LastIndexByte(token, '.')
	for name, c := range map[string]struct {
		token  string
		reason authz.Reason
	}{
		"another signature of another key": {token[:dot+1] + signedBy(t, "two", agent(idp))[dot+1:], authz.SignatureInvalid},
		"one character less":               {token[:len(token)-1], authz.CredentialMalformed},
		"one character more":               {token + "A", authz.SignatureInvalid},
		"padding":                          {token + "=", authz.CredentialMalformed},
		"no signature":                     {token[:dot+1], authz.SignatureInvalid},
		"white space":                      {token + " ", authz.CredentialMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				decided(t, e.Decide(t.Context(), w.get(c.token)), authz.Deny, 401, c.reason)
			}
		})
	}
	decided(t, e.Decide(t.Context(), w.get(again)), authz.Allow, 0, authz.Allowed)
	if s := cache.Stats(); s.Entries != 2 {
		t.Errorf("expected the two tokens that are good, got %+v", s)
	}
}

func TestNothingIsKeptOfWhatIsRefused(t *testing.T) {
	w := newProviders(t)
	cache := w.cache()
	e := w.engine(cache)
	p := api(partners(idp))
	p.Spec.Authentication.Methods[0].JWT.ClaimMappings = &v1alpha1.ClaimMappings{Subject: "claims.sub"}
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	end := clock.Unix() + 3600
	for claims, reason := range map[string]authz.Reason{
		fmt.Sprintf(`{"iss":%q,"aud":"api","sub":"a","exp":%d}`, idp, clock.Unix()-100):         authz.TokenExpired,
		fmt.Sprintf(`{"iss":%q,"aud":"api","sub":"a","exp":%d,"nbf":%d}`, idp, end, end-60):     authz.TokenNotYetValid,
		fmt.Sprintf(`{"iss":%q,"aud":"x","sub":"a","exp":%d}`, idp, end):                        authz.AudienceMismatch,
		fmt.Sprintf(`{"iss":%q,"aud":"api","sub":"a","exp":%d,"cnf":{"jkt":"x"}}`, idp, end):    authz.ProofRequired,
		fmt.Sprintf(`{"iss":%q,"aud":"api","exp":%d}`, idp, end):                                authz.ClaimsRefused,
		fmt.Sprintf(`{"iss":"https://nobody.example.com","aud":"api","sub":"a","exp":%d}`, end): authz.IssuerMismatch,
	} {
		for range 2 {
			decided(t, e.Decide(t.Context(), w.get(signedBy(t, "one", claims))), authz.Deny, 401, reason)
		}
	}
	decided(t, e.Decide(t.Context(), w.get("garbage")), authz.Deny, 401, authz.UnknownCredential)
	if s := cache.Stats(); s.Entries != 0 || s.Bytes != 0 || s.Hits != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestANamespaceUsesNothingThatAnotherVerified(t *testing.T) {
	token := signedBy(t, "one", agent(idp))
	w, e, cache := hotOf(t, api(partners(idp)), token)
	p := api(partners(idp))
	p.Namespace = "bank"
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	decided(t, e.Decide(t.Context(), w.get(token)), authz.Allow, 0, authz.Allowed)
	if s := cache.Stats(); s.Hits != 1 || s.Entries != 2 {
		t.Errorf("expected a miss, got %+v", s)
	}
}

func TestPoliciesOfANamespaceShareWhatOneVerified(t *testing.T) {
	token := signedBy(t, "one", agent(idp))
	w, e, cache := hotOf(t, api(partners(idp)), token)
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{api(partners(idp)), onHost("q", "q.example.com", partners(idp))}})
	raw := w.get(token)
	raw.Host = "q.example.com"
	d := e.Decide(t.Context(), raw)
	if s := cache.Stats(); s.Hits != 2 || s.Entries != 1 || d.Policy != "shop/q" || d.Outcome != authz.Allow {
		t.Errorf("expected a hit, got %+v and %+v", s, d)
	}
}

func TestTwoMethodsWithDifferentNamesHaveIdentitiesOfTheirOwn(t *testing.T) {
	token := signedBy(t, "one", agent(idp))
	w, e, _ := hotOf(t, api(partners(idp)), token)
	other := partners(idp)
	other.Name = "agents"
	p := api(other)
	p.Generation = 2
	load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
	if d := e.Decide(t.Context(), w.get(token)); d.Method != "agents" {
		t.Errorf("got %q", d.Method)
	}
}

// A request is one text. What is kept of it would keep all of it, or be overwritten
// if its buffer is used again.
func TestNothingThatIsKeptIsAPartOfARequest(t *testing.T) {
	for _, mapped := range []bool{false, true} {
		w := newProviders(t)
		cache := w.cache()
		e := w.engine(cache)
		p := api(partners(idp))
		if mapped {
			p.Spec.Authentication.Methods[0].JWT.ClaimMappings = &v1alpha1.ClaimMappings{
				Subject: "claims.sub", Scopes: "claims.scope", Groups: `claims.act.sub`}
		}
		load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
		token := signedBy(t, "one", fmt.Sprintf(`{"iss":%q,"aud":["api","b"],"sub":"agent","jti":"id","groups":["g"],"scope":"read write","act":{"sub":"actor"},"nested":[{"a":"b"}],"exp":%d}`, idp, clock.Unix()+3600))
		buffer := []byte("Bearer " + token)
		raw := w.get("")
		raw.Headers[0].Value = unsafe.String(&buffer[0], len(buffer))
		first := e.Decide(t.Context(), raw)
		decided(t, first, authz.Allow, 0, authz.Allowed)
		for i := range buffer {
			buffer[i] = '!'
		}
		second := e.Decide(t.Context(), w.get(token))
		if cache.Stats().Hits != 1 || first.Identity != second.Identity {
			t.Error("expected a hit with the identity that is kept")
		}
		for _, id := range []*authz.Identity{first.Identity, second.Identity} {
			if text := fmt.Sprintf("%+v %+v", *id, id.Actor); strings.Contains(text, "!") || !strings.Contains(text, "actor") {
				t.Errorf("got %s", text)
			}
		}
		if third := e.Decide(t.Context(), w.get(token)); third.Identity != second.Identity {
			t.Error("expected one identity for all who use an entry")
		}
	}
}

func TestManyDecideWhileKeysAndPoliciesChange(t *testing.T) {
	good, bad := signedBy(t, "one", agent(idp)), signedBy(t, "three", agent(idp))
	w, e, cache := hotOf(t, api(partners(idp)), good)
	var all sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if d := e.Decide(t.Context(), w.get(good)); d.Outcome != authz.Allow || d.Identity.Subject != "agent" {
					t.Errorf("got %+v", d)
				}
				if d := e.Decide(t.Context(), w.get(bad)); d.Outcome != authz.Deny {
					t.Errorf("got %+v", d)
				}
			}
		})
	}
	for i := range 50 {
		w.sets[idp].hold(t, "one", "two")
		w.sets[idp].hold(t, "one")
		p := setting(api(partners(idp)), "x-agent-id", fmt.Sprintf("'%d'", i))
		p.Generation = int64(i + 2)
		load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{p}})
		cache.Stats()
	}
	close(done)
	all.Wait()
}

// A hot token with scopes, a rule and headers by CEL, verified each time and kept.
func BenchmarkDecideJWT(b *testing.B) {
	rsaKey := sync.OnceValue(func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			b.Fatal(err)
		}
		return k
	})()
	for name, c := range map[string]struct {
		alg jose.SignatureAlgorithm
		key crypto.Signer
	}{"RS256": {jose.RS256, rsaKey}, "ES256": {jose.ES256, keyNamed("one")}} {
		for _, kept := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/kept=%t", name, kept), func(b *testing.B) {
				w := newProviders(b)
				set := jwks.Static([]jwks.Key{{ID: "k", Algorithms: []string{name}, Public: c.key.Public(), Thumbprint: "k"}})
				w.sets[idp].keys.Store(&set)
				var cache *verified.Cache
				if kept {
					cache = w.cache()
				}
				e := w.engine(cache)
				load(b, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{measured(partners(idp))}})
				raw := w.get(signed(b, c.alg, jose.JSONWebKey{Key: c.key, KeyID: "k"}, agent(idp)))
				raw.Path = "/v1/orders?page=2"
				if d := e.Decide(b.Context(), raw); d.Outcome != authz.Allow {
					b.Fatalf("got %+v", d)
				}
				b.ReportAllocs()
				for b.Loop() {
					e.Decide(b.Context(), raw)
				}
			})
		}
	}
}
