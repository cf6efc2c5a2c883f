package engine

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// publicSet is a key set with the key that signs, and one that nobody can use.
func publicSet(t testing.TB) string {
	t.Helper()
	good, err := json.Marshal(jose.JSONWebKey{Key: signingKey().Public(), Algorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	return `{"keys": [` + string(good) + `, {"kty": "oct", "k": "aHVudGVyMg"}]}`
}

func TestKeysMayBeWrittenDownOrBeInAnObject(t *testing.T) {
	ref := &v1alpha1.ObjectKeyReference{Name: "keys"}
	other := &v1alpha1.ObjectKeyReference{Name: "keys", Key: "other.json"}
	set := map[string]string{"jwks.json": publicSet(t), "other.json": publicSet(t)}
	labelled := object("keys", v1alpha1.UseJWKS, set)
	bad := object("keys", v1alpha1.UseJWKS, map[string]string{"jwks.json": `{"keys": "hunter2"}`})
	for name, c := range map[string]struct {
		jwks      v1alpha1.JWKS
		in        Input
		want      authz.Reason
		condition string // the reason of ResolvedRefs
	}{
		"inline":                            {v1alpha1.JWKS{Inline: publicSet(t)}, Input{}, authz.Allowed, v1alpha1.ReasonResolvedRefs},
		"in a ConfigMap":                    {v1alpha1.JWKS{ConfigMapRef: ref}, Input{ConfigMaps: []*Object{labelled}}, authz.Allowed, v1alpha1.ReasonResolvedRefs},
		"in a Secret":                       {v1alpha1.JWKS{SecretRef: ref}, Input{Secrets: []*Object{labelled}}, authz.Allowed, v1alpha1.ReasonResolvedRefs},
		"under another entry":               {v1alpha1.JWKS{SecretRef: other}, Input{Secrets: []*Object{labelled}}, authz.Allowed, v1alpha1.ReasonResolvedRefs},
		"in a Secret of a ConfigMap's name": {v1alpha1.JWKS{SecretRef: ref}, Input{ConfigMaps: []*Object{labelled}}, authz.Unavailable, v1alpha1.ReasonRefNotFound},
		"in an entry that is missing":       {v1alpha1.JWKS{ConfigMapRef: other}, Input{ConfigMaps: []*Object{bad}}, authz.Unavailable, v1alpha1.ReasonRefInvalid},
		"in an entry that is no key set":    {v1alpha1.JWKS{ConfigMapRef: ref}, Input{ConfigMaps: []*Object{bad}}, authz.Unavailable, v1alpha1.ReasonRefInvalid},
		"in an object for another use":      {v1alpha1.JWKS{ConfigMapRef: ref}, Input{ConfigMaps: []*Object{object("keys", v1alpha1.UseCA, set)}}, authz.Unavailable, v1alpha1.ReasonRefNotPermitted},
	} {
		t.Run(name, func(t *testing.T) {
			m := partners(idp)
			m.JWT.JWKS = &c.jwks
			c.in.Policies = []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", m)}
			e, _ := newWorld(Options{})
			s, reports := e.Compile(c.in)
			e.Swap(s)
			d := e.Decide(t.Context(), get("api.example.com", "/", header("authorization", "Bearer "+tokenOf(t, idp))))
			if d.Reason != c.want {
				t.Errorf("expected %s, got %s: %s", c.want, d.Reason, d.Detail)
			}
			if got := reports[0].Conditions[2].Reason; got != c.condition {
				t.Errorf("expected the condition %s, got %s", c.condition, got)
			}
			if c.want == authz.Allowed && !warns(reports[0], "key 1 of the set is not used") {
				t.Errorf("expected a warning of the second key, got %v", reports[0].Problems)
			}
			for _, p := range reports[0].Problems {
				if strings.Contains(p.String(), "hunter2") || strings.Contains(p.String(), "aHVudGVyMg") {
					t.Errorf("the content is in %s", p)
				}
			}
		})
	}
}

func warns(r Report, text string) bool {
	return slices.ContainsFunc(r.Problems, func(p authz.Problem) bool {
		return p.Severity == authz.Warning && strings.Contains(p.Message, text)
	})
}

func TestAnInlineSetThatIsNoneIsAnInvalidPolicy(t *testing.T) {
	m := partners(idp)
	m.JWT.JWKS = &v1alpha1.JWKS{Inline: "{}"}
	e, _ := newWorld(Options{})
	s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", m)}})
	e.Swap(s)
	if p := reports[0].Problems; len(p) != 1 || p[0].Severity != authz.Invalid || !strings.HasSuffix(p[0].Field, "jwks.inline") {
		t.Errorf("got %v", p)
	}
	decided(t, e.Decide(t.Context(), get("api.example.com", "/")), authz.Error, 503, authz.PolicyInvalid)
}

func TestCertificatesOfAProviderAreReadStrictly(t *testing.T) {
	for name, c := range map[string]struct{ data, wants string }{
		"certificates":           {certificate(t) + certificate(t), ""},
		"nothing":                {"", "there are none"},
		"no PEM":                 {"hunter2", "there are none"},
		"a private key":          {certificate(t) + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "block 2 is of another type"},
		"what is no certificate": {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1 cannot be parsed"},
	} {
		t.Run(name, func(t *testing.T) {
			m := partners(idp)
			m.JWT.CACertificates = &v1alpha1.CACertificates{SecretRef: &v1alpha1.ObjectKeyReference{Name: "ca"}}
			e, w := newWorld(Options{})
			_, reports := e.Compile(Input{
				Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", m)},
				Secrets:  []*Object{object("ca", v1alpha1.UseCA, map[string]string{"ca.crt": c.data})},
			})
			if c.wants == "" {
				if len(reports[0].Problems) > 0 || len(w.made) != 1 || w.made[0].src.Roots == nil {
					t.Errorf("got %v, %d key sets", reports[0].Problems, len(w.made))
				}
				return
			}
			if p := reports[0].Problems; len(p) != 1 || p[0].Severity != authz.Unresolved || !strings.Contains(p[0].Message, c.wants) || len(w.made) != 0 {
				t.Errorf("expected %q and no key set, got %v and %d", c.wants, p, len(w.made))
			}
		})
	}
}

func TestUsersAreAnHtpasswdFileOrOneUser(t *testing.T) {
	const bcrypt = "alice:$2a$04$TYvMLMImaEGFqmxYqsxzbO9BXJzhtpQ6oMWKuiKlqh3N1ghVGn3b."
	typed := func(o *Object, kind string) *Object { o.Type = kind; return o }
	for name, c := range map[string]struct {
		object *Object
		key    string
		usable bool
		wants  string // a problem
	}{
		"one user":                       {alice("staff"), "", true, ""},
		"one user without a password":    {typed(object("staff", "basic", map[string]string{"username": "alice"}), "kubernetes.io/basic-auth"), "", false, "password"},
		"one user without a name":        {typed(object("staff", "basic", map[string]string{"password": "sesame"}), "kubernetes.io/basic-auth"), "", false, ""},
		"an htpasswd file":               {object("staff", "basic", map[string]string{"auth": bcrypt + "\n"}), "", true, ""},
		"an htpasswd file elsewhere":     {object("staff", "basic", map[string]string{"users": bcrypt}), "users", true, ""},
		"an htpasswd file in basic-auth": {typed(object("staff", "basic", map[string]string{"users": bcrypt}), "kubernetes.io/basic-auth"), "users", true, ""},
		"no htpasswd file":               {object("staff", "basic", map[string]string{"other": bcrypt}), "", false, "no such entry"},
		"one bad line":                   {object("staff", "basic", map[string]string{"auth": "bob:{SHA}hunter2\n" + bcrypt}), "", true, "line 1: "},
		"bad lines only":                 {object("staff", "basic", map[string]string{"auth": "bob:hunter2"}), "", false, "no usable entry"},
		"an empty file":                  {object("staff", "basic", map[string]string{"auth": ""}), "", false, "no usable entry"},
	} {
		t.Run(name, func(t *testing.T) {
			m := staff("staff")
			m.Basic.Users.SecretRef.Key = c.key
			e, _ := newWorld(Options{})
			s, reports := e.Compile(Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", m)}, Secrets: []*Object{c.object}})
			e.Swap(s)
			d := e.Decide(t.Context(), get("api.example.com", "/", header("authorization", "Basic YWxpY2U6d3Jvbmc="))) // alice:wrong
			want := authz.Unavailable
			if c.usable {
				want = authz.PasswordMismatch
			}
			if d.Reason != want {
				t.Errorf("expected %s, got %s: %s", want, d.Reason, d.Detail)
			}
			text := ""
			for _, p := range reports[0].Problems {
				text += p.String() + "\n"
			}
			if !strings.Contains(text, c.wants) || c.wants == "" && c.usable && text != "" || strings.Contains(text, "hunter2") {
				t.Errorf("expected %q, got %q", c.wants, text)
			}
		})
	}
}

// What a method does not say means what API.md says.
func TestDefaultsOfAMethodForTokens(t *testing.T) {
	signed := func(alg jose.SignatureAlgorithm, typ string) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: []byte(strings.Repeat("hunter2-", 8))}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := signer.Sign([]byte(`{"exp":1800000600}`))
		if err != nil {
			t.Fatal(err)
		}
		out, err := raw.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.JWT)
		alg    jose.SignatureAlgorithm
		typ    string
		want   authz.Reason
	}{
		"HS256 is the algorithm of a shared secret": {func(*v1alpha1.JWT) {}, "HS256", "JWT", authz.Allowed},
		"others are not":            {func(*v1alpha1.JWT) {}, "HS512", "JWT", authz.SignatureInvalid},
		"unless they are named":     {func(j *v1alpha1.JWT) { j.Algorithms = []v1alpha1.Algorithm{"HS512"} }, "HS512", "JWT", authz.Allowed},
		"and then HS256 is not":     {func(j *v1alpha1.JWT) { j.Algorithms = []v1alpha1.Algorithm{"HS512"} }, "HS256", "JWT", authz.SignatureInvalid},
		"at+jwt is a type":          {func(*v1alpha1.JWT) {}, "HS256", "at+jwt", authz.Allowed},
		"others are not types":      {func(*v1alpha1.JWT) {}, "HS256", "x+jwt", authz.TokenTypeRefused},
		"unless they are named too": {func(j *v1alpha1.JWT) { j.TokenTypes = []string{"Application/X+JWT"} }, "HS256", "x+jwt", authz.Allowed},
		"and then JWT is not":       {func(j *v1alpha1.JWT) { j.TokenTypes = []string{"x+jwt"} }, "HS256", "JWT", authz.TokenTypeRefused},
	} {
		t.Run(name, func(t *testing.T) {
			m := v1alpha1.Method{Name: "agents", JWT: &v1alpha1.JWT{AnyIssuer: true, AnyAudience: true,
				HMAC: &v1alpha1.HMAC{SecretRef: v1alpha1.ObjectKeyReference{Name: "secret"}}}}
			c.change(m.JWT)
			e, _ := newWorld(Options{})
			load(t, e, Input{Policies: []*v1alpha1.AgentAuthPolicy{onHost("p", "api.example.com", m)},
				Secrets: []*Object{object("secret", v1alpha1.UseHMAC, map[string]string{"secret": strings.Repeat("hunter2-", 8)})}})
			d := e.Decide(t.Context(), get("api.example.com", "/", header("authorization", "Bearer "+signed(c.alg, c.typ))))
			if d.Reason != c.want {
				t.Errorf("expected %s, got %s: %s", c.want, d.Reason, d.Detail)
			}
		})
	}
}
