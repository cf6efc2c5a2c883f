package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func ec(curve elliptic.Curve) *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(curve, rand.Reader)) }

func private(key any) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))})
}

func public(key any) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key))})
}

func TestEachKindOfKeySignsByItsAlgorithmUnderItsThumbprint(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	big, p256 := must(rsa.GenerateKey(rand.Reader, 2048)), ec(elliptic.P256())
	for name, c := range map[string]struct {
		data []byte
		key  crypto.Signer
		alg  jose.SignatureAlgorithm
		slow bool
	}{
		"P-256":        {private(p256), p256, jose.ES256, false},
		"P-256, SEC 1": {pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: must(x509.MarshalECPrivateKey(p256))}), p256, jose.ES256, false},
		"Ed25519":      {private(ed), ed, jose.EdDSA, false},
		"RSA":          {private(big), big, jose.RS256, true},
		"RSA, PKCS #1": {pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(big)}), big, jose.RS256, true},
	} {
		k, err := Parse(c.data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := must(k.Public())
		token := must(k.Sign([]byte(`{"sub":"alice"}`), p.ID()))
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(Set([]Public{p}), &set); err != nil {
			t.Fatal(err)
		}
		signed := must(jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{c.alg}))
		keys := set.Key(signed.Signatures[0].Header.KeyID)
		if len(keys) != 1 || keys[0].Algorithm != string(c.alg) || !keys[0].IsPublic() || k.Slow() != c.slow {
			t.Fatalf("%s: got %+v, slow %v", name, keys, k.Slow())
		}
		if payload, err := signed.Verify(keys[0]); err != nil || string(payload) != `{"sub":"alice"}` {
			t.Errorf("%s: got %s, %v", name, payload, err)
		}
		if other, err := ParsePublic(public(c.key.Public())); err != nil || other.ID() != p.ID() {
			t.Errorf("%s: the public key alone is another key: %v", name, err)
		}
	}
	if k, err := Parse(private(ec(elliptic.P384()))); err != nil || k.Algorithm() != "ES384" || !k.Slow() {
		t.Errorf("P-384: got %v", err)
	}
}

func TestWhatIsNotOneUsableKeyIsRefusedAndNotRepeated(t *testing.T) {
	one := private(ec(elliptic.P256()))
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("hunter2")})
	legacy := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("hunter2")})
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("hunter2")})
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":             {nil, "in PEM"},
		"no PEM":              {[]byte("hunter2"), "in PEM"},
		"no key in PEM":       {certificate, "cannot be read"},
		"a public key":        {public(ec(elliptic.P256()).Public()), "cannot be read"},
		"RSA of 1024 bits":    {private(must(rsa.GenerateKey(rand.Reader, 1024))), "2048 to 4096"}, // #nosec G403 -- so that it is refused
		"P-521":               {private(ec(elliptic.P521())), "of another kind"},
		"two keys":            {append(one, one...), "nothing behind it"},
		"a key and a chain":   {append(one, certificate...), "nothing behind it"},
		"a key and a text":    {append(one, "hunter2"...), "nothing behind it"},
		"PKCS #8, encrypted":  {encrypted, "is encrypted"},
		"a PEM of encryption": {legacy, "is encrypted"},
	} {
		_, err := Parse(c.data)
		if err == nil || !strings.Contains(err.Error(), "expected a private key") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", name, err)
		}
		if s := Read(map[string][]byte{"tls.key": c.data}, "tls.key"); s.Key != nil || len(s.Published) != 0 || len(s.Unusable) != 1 {
			t.Errorf("%s: got %+v", name, s)
		}
	}
	if k, err := Parse(append(one, "\n \n"...)); err != nil || k == nil {
		t.Errorf("white space behind a key is nothing, got %v", err)
	}
}

func TestOtherKeysOfASecretArePublishedAndSignNothing(t *testing.T) {
	first, next, old := ec(elliptic.P256()), ec(elliptic.P256()), ec(elliptic.P256())
	id := func(key *ecdsa.PrivateKey) string { return must(ParsePublic(private(key))).ID() }
	s := Read(map[string][]byte{
		"tls.key": private(first), "next.key": private(next), "old.pub": public(old.Public()),
		"tls.crt": []byte("no key"), "note": []byte("no key"), "torn.pub": []byte("-----BEGIN hunter2"), "large.key": make([]byte, maxEntry+1),
	}, "tls.key")
	if s.Key == nil || must(s.Key.Public()).ID() != id(first) {
		t.Error("expected that tls.key signs")
	}
	if len(s.Published) != 3 || s.Published[0].ID() != id(first) || s.Published[1].ID() != id(next) || s.Published[2].ID() != id(old) {
		t.Errorf("got %d keys", len(s.Published))
	}
	if len(s.Unusable) != 2 || s.Unusable[0].Entry != "large.key" || s.Unusable[1].Entry != "torn.pub" {
		t.Errorf("got %+v", s.Unusable)
	}
	many := map[string][]byte{"tls.key": private(first)}
	for i := range 20 {
		many[fmt.Sprintf("%02d.pub", i)] = public(next.Public())
	}
	if s := Read(many, "tls.key"); len(s.Published) != maxKeys || len(s.Unusable) != 1 || s.Unusable[0].Entry != "07.pub" {
		t.Errorf("got %d keys, %+v", len(s.Published), s.Unusable)
	}
	if got := string(Set(nil)); got != `{"keys":[]}` {
		t.Errorf("no keys: got %s", got)
	}
}

func BenchmarkSign(b *testing.B) {
	for name, key := range map[string]any{"P-256": ec(elliptic.P256()), "P-384": ec(elliptic.P384()), "RSA": must(rsa.GenerateKey(rand.Reader, 2048)), "RSA-4096": must(rsa.GenerateKey(rand.Reader, 4096))} {
		k := must(Parse(private(key)))
		claims := []byte(`{"iss":"agentauth.dev/shop","aud":"orders","sub":"alice","iat":1,"exp":2,"jti":"0123456789"}`)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = k.Sign(claims, "id")
			}
		})
	}
}
