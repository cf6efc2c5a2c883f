package introspect

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func pemOf(t *testing.T, kind string, key any) []byte {
	t.Helper()
	var der []byte
	var err error
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if kind == "RSA PRIVATE KEY" {
			der = x509.MarshalPKCS1PrivateKey(k)
			break
		}
		der, err = x509.MarshalPKCS8PrivateKey(k)
	case *ecdsa.PrivateKey:
		if kind == "EC PRIVATE KEY" {
			der, err = x509.MarshalECPrivateKey(k)
			break
		}
		der, err = x509.MarshalPKCS8PrivateKey(k)
	default:
		der, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestAnAssertionIsSignedForEachRequest(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key  crypto.Signer
		kind string
		alg  jose.SignatureAlgorithm
		kid  string
	}{
		"RSA":          {big, "PRIVATE KEY", jose.RS256, "third"},
		"RSA, PKCS #1": {big, "RSA PRIVATE KEY", jose.RS256, ""},
		"RSA by PS256": {big, "PRIVATE KEY", jose.PS256, ""},
		"P-256":        {ec, "PRIVATE KEY", jose.ES256, "first"},
		"P-256, SEC 1": {ec, "EC PRIVATE KEY", jose.ES256, ""},
		"Ed25519":      {ed, "PRIVATE KEY", jose.EdDSA, "second"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := ParseKey(pemOf(t, c.kind, c.key), c.kid, "https://idp.example.com")
			if err == nil {
				err = key.SignBy(string(c.alg))
			}
			if err != nil {
				t.Fatal(err)
			}
			var forms []url.Values
			s := New(Config{Client: Client{ID: "rs", Key: key}, Post: func(_ context.Context, _ string, r Request) (Response, error) {
				form, err := url.ParseQuery(r.Form)
				if err != nil || r.Authorization != "" {
					t.Errorf("got %q, %v", r.Authorization, err)
				}
				forms = append(forms, form)
				return Response{200, "application/json", []byte(active)}, nil
			}})
			seen := map[string]bool{}
			for i := range 2 {
				if _, err := s.Introspect(t.Context(), about(token)); err != nil {
					t.Fatal(err)
				}
				form := forms[i]
				if form.Get("client_id") != "rs" || form.Get("client_assertion_type") != assertionType || form.Has("client_secret") || form.Get("token") != token {
					t.Errorf("got %v", form)
				}
				signed, err := jose.ParseSignedCompact(form.Get("client_assertion"), []jose.SignatureAlgorithm{c.alg})
				if err != nil {
					t.Fatal(err)
				}
				if got := signed.Signatures[0].Header.KeyID; got != c.kid {
					t.Errorf("expected kid %q, got %q", c.kid, got)
				}
				payload, err := signed.Verify(c.key.Public())
				if err != nil {
					t.Fatal(err)
				}
				var claims struct {
					Iss, Sub, Aud, JTI string
					Iat, Exp           int64
				}
				if err := json.Unmarshal(payload, &claims); err != nil {
					t.Fatal(err)
				}
				now := time.Now().Unix()
				if claims.Iss != "rs" || claims.Sub != "rs" || claims.Aud != "https://idp.example.com" || claims.Exp-claims.Iat != 60 || claims.Iat > now || claims.Iat < now-60 {
					t.Errorf("got %+v", claims)
				}
				if len(claims.JTI) < 20 || seen[claims.JTI] {
					t.Errorf("expected a jti of its own, got %q", claims.JTI)
				}
				seen[claims.JTI] = true
			}
		})
	}
}

func TestAKeyOfAnotherKindIsRefusedAndNotRepeated(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024) // #nosec G403 -- so that it is refused
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(p384.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "no PEM": []byte("hunter2"), "no key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hunter2")}),
		"RSA of 1024 bits": pemOf(t, "PRIVATE KEY", small), "P-384": pemOf(t, "PRIVATE KEY", p384),
		"a public key": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
	} {
		if _, err := ParseKey(data, "", "a"); err == nil || !strings.Contains(err.Error(), "expected a private key") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAKeySignsByNoAlgorithmOfAnother(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []any{ec, big} {
		for _, alg := range []string{"", "none", "HS256", "RS1", "RS512", "rs256", "RS256\n", "EdDSA"} {
			k, err := ParseKey(pemOf(t, "PRIVATE KEY", key), "", "a")
			if err != nil {
				t.Fatal(err)
			}
			if err := k.SignBy(alg); err == nil || !strings.Contains(err.Error(), "expected RS256 or PS256 for a key of RSA") {
				t.Errorf("%T by %q: got %v", key, alg, err)
			}
		}
	}
}

func TestAKeyIsReadBehindTheParametersThatOpensslWritesBeforeIt(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte("\x06\x08*\x86H\xce=\x03\x01\x07")})
	if _, err := ParseKey(append(parameters, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})...), "", "a"); err != nil {
		t.Error(err)
	}
	if _, err := ParseKey(parameters, "", "a"); err == nil || !strings.Contains(err.Error(), "expected a private key") {
		t.Errorf("expected parameters alone to be no key, got %v", err)
	}
}
