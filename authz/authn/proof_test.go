package authn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// unseen is a store that has seen nothing.
type unseen struct{}

func (unseen) Seen(context.Context, string, [32]byte, time.Duration) (bool, error) { return false, nil }

// proofOf is a request with a proof by a key for the token of p.
func proofOf(t *testing.T, alg jose.SignatureAlgorithm, key any, public any, p *Presented) *authz.Request {
	t.Helper()
	digest := p.Digest()
	payload, err := json.Marshal(map[string]any{"htm": "GET", "htu": "https://a.example.com/", "iat": clock.Unix(), "jti": "1", "ath": base64.RawURLEncoding.EncodeToString(digest[:])})
	if err != nil {
		t.Fatal(err)
	}
	raw := sign(t, alg, key, map[string]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: public}}, string(payload))
	r, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", Host: "a.example.com", Path: "/", Time: clock, Headers: []authz.Header{{Name: "dpop", Value: raw}}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func boundTo(t *testing.T, public any) *confirmation {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(5) // crypto.SHA256
	if err != nil {
		t.Fatal(err)
	}
	return &confirmation{key: (*[sha256.Size]byte)(sum)}
}

// A key of a proof is the caller's choice: what costs more than ES256 waits for the
// turn of the policy.
func TestASlowSignatureOfAProofTakesATurn(t *testing.T) {
	large, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	fast, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &Presented{Value: "token", Place: Place{Scheme: dpopScheme}}
	for name, c := range map[string]struct {
		scheduler *work.Scheduler
		bound     *confirmation
		r         *authz.Request
		want      authz.Reason
	}{
		"with a scheduler":             {work.New(work.Options{}), boundTo(t, &large.PublicKey), proofOf(t, jose.RS256, large, &large.PublicKey, p), authz.Allowed},
		"with nobody who gives turns":  {nil, boundTo(t, &large.PublicKey), proofOf(t, jose.RS256, large, &large.PublicKey, p), authz.Overloaded},
		"a signature of ES256 is fast": {nil, boundTo(t, &fast.PublicKey), proofOf(t, jose.ES256, fast, &fast.PublicKey, p), authz.Allowed},
	} {
		p.proven = false
		h := Proofs{Scheduler: c.scheduler, Replay: unseen{}}
		if got := reason(h.prove(t.Context(), c.r, p, c.bound, 0)); got != c.want {
			t.Errorf("%s: expected %s, got %s", name, c.want, got)
		}
	}
}

func TestABoundTokenIsRefusedByWhoeverCannotProve(t *testing.T) {
	key := [sha256.Size]byte{}
	p := &Presented{Value: "token", Place: Place{Scheme: dpopScheme}}
	for name, c := range map[string]struct {
		h     Proofs
		p     *Presented
		bound *confirmation
		want  authz.Reason
	}{
		"the token came in no place":        {Proofs{}, nil, nil, authz.ProofRequired},
		"it is bound to nothing":            {Proofs{}, &Presented{}, nil, authz.Allowed},
		"it is bound to nothing under DPoP": {Proofs{}, p, nil, authz.UnknownCredential},
		"no proof came":                     {Proofs{}, p, &confirmation{key: &key}, authz.ProofRequired},
		"no certificate came":               {Proofs{}, &Presented{}, &confirmation{certificate: &key}, authz.ProofRequired},
		"what it is bound to is not known":  {Proofs{}, p, &confirmation{unknown: "x", key: &key}, authz.ProofRequired},
	} {
		if got := reason(c.h.prove(t.Context(), &authz.Request{Time: clock}, c.p, c.bound, 0)); got != c.want {
			t.Errorf("%s: expected %s, got %s", name, c.want, got)
		}
	}
}

// A wrapper that forgot to hand it on would make bound tokens bearer tokens.
func TestTheProverOfAWrappedMethodIsFound(t *testing.T) {
	j := shared()
	for _, a := range []Authenticator{j, &Introspection{}, wrapped{j}} {
		if ProverOf(a) == nil {
			t.Errorf("%T has no prover", a)
		}
	}
	if ProverOf(&Anonymous{}) != nil {
		t.Error("a method without tokens has a prover")
	}
}

type wrapped struct{ Authenticator }

func (w wrapped) Unwrap() Authenticator { return w.Authenticator }

func TestTheSchemeDPoPIsReadWhereBearerIs(t *testing.T) {
	header := func(name, scheme string) Place { return Place{In: InHeader, Name: name, Scheme: scheme} }
	for name, c := range map[string]struct{ from, want []Place }{
		"by default":                     {nil, []Place{header("authorization", "bearer"), header("authorization", "DPoP")}},
		"beside another Bearer":          {[]Place{header("x-a", "BEARER")}, []Place{header("x-a", "BEARER"), header("x-a", "DPoP")}},
		"where the policy says so":       {[]Place{header("x-a", "dpop")}, []Place{header("x-a", "DPoP")}},
		"once":                           {[]Place{header("x-a", "Bearer"), header("x-a", "dpop")}, []Place{header("x-a", "Bearer"), header("x-a", "DPoP")}},
		"not in a cookie":                {[]Place{{In: InCookie, Name: "t"}}, []Place{{In: InCookie, Name: "t"}}},
		"not in a header without scheme": {[]Place{header("x-a", "")}, []Place{header("x-a", "")}},
		"not in a list of subprotocols":  {[]Place{header(webSocket, "bearer")}, []Place{header(webSocket, "bearer")}},
	} {
		got := tokenPlaces(c.from)
		if len(got) != len(c.want) {
			t.Errorf("%s: expected %v, got %v", name, c.want, got)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: expected %v, got %v", name, c.want, got)
			}
		}
	}
}

// FuzzTheURIOfAProofIsThatOfTheRequest holds isTarget against package net/url.
func FuzzTheURIOfAProofIsThatOfTheRequest(f *testing.F) {
	for _, htu := range []string{"https://a.example.com/x", "HTTPS://A.example.com:443/%78?y#z", "https://u@a.example.com/x", "https://a.example.com:8443/x", "https://a.example.com", "https:///x", "https://a.example.com/%2F%2f%2", "//a.example.com/x", "https://a.example.com\\@b/x"} {
		f.Add(htu, "a.example.com:8443", "/x")
	}
	f.Fuzz(func(t *testing.T, htu, host, path string) {
		r, err := authz.NewRequest(authz.Raw{Method: "GET", Scheme: "https", Host: host, Path: path})
		if err != nil || !isTarget(htu, r) {
			return
		}
		u, err := url.Parse(htu)
		if err != nil { // package url is stricter with what it does not compare
			return
		}
		decoded, err := url.PathUnescape(r.RawPath)
		same := decoded
		if same == "/" && u.Path == "" {
			same = ""
		}
		switch {
		case u.Scheme != "https", u.User != nil:
			t.Errorf("%q has the scheme %q and the user %v", htu, u.Scheme, u.User)
		case !strings.EqualFold(strings.Trim(u.Hostname(), "[]"), strings.Trim(r.Host, "[]")):
			t.Errorf("%q is taken for the host %q", htu, r.Host)
		case u.Port() != "" && u.Port() != "443" && u.Port() != r.Port:
			t.Errorf("%q is taken for the port %q", htu, r.Port)
		case err == nil && u.Path != same:
			t.Errorf("%q is taken for the path %q", htu, r.RawPath)
		}
	})
}
