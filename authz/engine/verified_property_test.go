package engine

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

const sharedSecret = "a-secret-that-both-sides-know-000"

// tokensOf are tokens of two issuers, good and bad ones, some of which begin or end
// while a test runs.
func tokensOf(t *testing.T) (out []string) {
	now := clock.Unix()
	for _, iss := range []string{idp, otherIDP, "https://nobody.example.com"} {
		for _, rest := range []string{
			fmt.Sprintf(`"exp":%d`, now+3600), fmt.Sprintf(`"exp":%d`, now+120), fmt.Sprintf(`"exp":%d,"nbf":%d`, now+600, now+60),
			fmt.Sprintf(`"exp":%d,"cnf":{"jkt":"x"}`, now+600), fmt.Sprintf(`"exp":%d,"team":"a"`, now+900), `"exp":"never"`, fmt.Sprintf(`"exp":%d`, now-1000),
		} {
			for _, aud := range []string{`"api"`, `["api","b"]`, `"b"`, `1`} {
				claims := fmt.Sprintf(`{"iss":%q,"aud":%s,"sub":"agent",%s}`, iss, aud, rest)
				out = append(out, signedBy(t, "one", claims), signedBy(t, "two", claims), signed(t, jose.HS256, []byte(sharedSecret), claims))
			}
		}
	}
	cut := out[0][:len(out[0])-2]
	return append(out, "garbage", "a.b.c", cut, out[0]+"=", signedBy(t, "one", `{"aud":"api","sub":"x","exp":9000000000}`), signedBy(t, "one", `{"iss":7,"exp":9000000000}`))
}

// policiesOf are versions of a policy for JWTs, with one method and with several.
func policiesOf() (out []*v1alpha1.AgentAuthPolicy) {
	jwt := func(name, issuer string, edit func(*v1alpha1.JWT)) v1alpha1.Method {
		m := partners(issuer)
		m.Name = name
		if edit != nil {
			edit(m.JWT)
		}
		return m
	}
	hmac := jwt("shared", idp, func(j *v1alpha1.JWT) {
		j.HMAC = &v1alpha1.HMAC{SecretRef: v1alpha1.ObjectKeyReference{Name: "s"}}
	})
	cookie := jwt("cookie", otherIDP, func(j *v1alpha1.JWT) {
		j.From = []v1alpha1.Place{{Cookie: &v1alpha1.NamedPlace{Name: "t"}}}
	})
	team := func(j *v1alpha1.JWT) {
		j.ClaimMappings = &v1alpha1.ClaimMappings{Subject: "claims.team", Scopes: `["x"]`}
	}
	anyIssuer := jwt("any", "", func(j *v1alpha1.JWT) {
		j.AnyIssuer, j.JWKS = true, &v1alpha1.JWKS{ConfigMapRef: &v1alpha1.ObjectKeyReference{Name: "k"}}
	})
	for _, methods := range [][]v1alpha1.Method{
		{jwt("a", idp, nil)},
		{jwt("a", idp, nil), jwt("b", otherIDP, nil)},
		{jwt("b", otherIDP, nil), jwt("a", idp, nil)},
		{jwt("a", idp, nil), jwt("again", idp, nil)},
		{required(jwt("a", idp, nil)), jwt("again", idp, team)},
		{required(jwt("a", idp, nil)), required(jwt("b", otherIDP, nil))},
		{jwt("a", idp, team), jwt("b", otherIDP, team)},
		{jwt("a", idp, func(j *v1alpha1.JWT) { j.Audiences = []string{"b"} })},
		{jwt("a", idp, func(j *v1alpha1.JWT) { j.Audiences, j.AnyAudience = nil, true })},
		{hmac}, {hmac, jwt("b", otherIDP, nil)}, {jwt("a", idp, nil), hmac},
		{jwt("a", idp, nil), cookie}, {anyIssuer}, {anyIssuer, jwt("a", idp, nil), jwt("b", otherIDP, nil)},
		{keys("x"), jwt("a", idp, nil), anonymous()},
	} {
		p := api(methods...)
		p.Spec.Response = &v1alpha1.Response{Upstream: &v1alpha1.Upstream{Headers: []v1alpha1.UpstreamHeader{
			{Name: "x-agent-id", Value: "identity.subject"}, {Name: "x-agent-method", Value: "identity.method"}}}}
		out = append(out, p)
	}
	return out
}

// Two engines see one world, and one of them keeps what it verified. Whatever
// happens, both decide the same, for the same reason, in the same steps.
func TestWhatIsKeptChangesNoDecision(t *testing.T) {
	tokens, policies := tokensOf(t), policiesOf()
	const rounds = 8_000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := dice{rand.New(rand.NewPCG(seed, 0))}
	w := newProviders(t)
	cache := w.cache()
	with, without := w.engine(cache), w.engine(nil)
	generation := int64(0)
	edit := func() {
		p := pick(d, policies...).DeepCopy()
		generation++
		p.Generation = generation
		in := Input{Policies: []*v1alpha1.AgentAuthPolicy{p}, ConfigMaps: []*Object{keySetObject(t, "k", pick(d, "one", "two"))}}
		if d.often(80) {
			in.Secrets = []*Object{object("s", v1alpha1.UseHMAC, map[string]string{"secret": pick(d, sharedSecret, sharedSecret, sharedSecret+"2")})}
		}
		for _, e := range []*Engine{with, without} {
			s, _ := e.Compile(in)
			e.Swap(s)
		}
	}
	edit()
	few := tokens
	outcomes := map[authz.Reason]int{}
	for range rounds {
		switch n := d.IntN(100); {
		case n == 0:
			edit()
		case n == 1 && d.often(50):
			w.sets[pick(d, idp, otherIDP)].hold(t, pick(d, [][]string{{"one"}, {"one"}, {"one", "two"}, {"one"}, {"two"}, nil}...)...)
		case n == 2:
			w.now.Add(pick[int64](d, 1, 20, 60, 700, -30))
		case n == 3 && w.now.Load() > clock.Unix()+1800:
			w.now.Store(clock.Unix())
		case n == 4 || n == 5: // these are hot for a while
			few = []string{pick(d, tokens...), pick(d, tokens...), pick(d, tokens[:12]...), tokens[0], tokens[0], tokens[84]}
		}
		raw := w.get(pick(d, few...))
		if d.often(10) {
			raw.Headers = append(raw.Headers, header("cookie", "t="+pick(d, few...)))
		}
		got, steps := with.Explain(t.Context(), raw)
		want, wanted := without.Explain(t.Context(), raw)
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(steps, wanted) {
			t.Fatalf("seed %d: with the cache\n%+v\n%+v\nwithout\n%+v\n%+v", seed, got, steps, want, wanted)
		}
		outcomes[got.Reason]++
	}
	t.Logf("%+v %v", cache.Stats(), outcomes)
	for _, r := range []authz.Reason{authz.Allowed, authz.TokenExpired, authz.KeyUnknown, authz.Unavailable, authz.SignatureInvalid, authz.AudienceMismatch, authz.ClaimsRefused} {
		if outcomes[r] == 0 {
			t.Errorf("nothing was %s: the test says little", r)
		}
	}
	if cache.Stats().Hits == 0 {
		t.Error("nothing was hit")
	}
}

// keySetObject is a ConfigMap with the keys of some names.
func keySetObject(t *testing.T, named string, names ...string) *Object {
	t.Helper()
	var set []string
	for _, name := range names {
		text, err := (&jose.JSONWebKey{Key: keyNamed(name).Public(), KeyID: name, Algorithm: "ES256", Use: "sig"}).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		set = append(set, string(text))
	}
	return object(named, v1alpha1.UseJWKS, map[string]string{"jwks.json": `{"keys":[` + strings.Join(set, ",") + `]}`})
}
