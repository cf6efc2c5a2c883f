package jwks

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"slices"
	"testing"
)

// FuzzParse holds that whatever is read as a key is one that may verify, and
// that an error comes without keys.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		setOf(jwkOf("a", &p256().PublicKey), jwkOf("", newEd25519(), `,"alg":"EdDSA"`)),
		setOf(jwkOf("r", &rsa2048().PublicKey, `,"use":"sig","key_ops":["verify"]`)),
		setOf(jwkOf("r", oddRSA(1024, 3)), `{"kty":"oct","k":"AA"}`, `7`),
		setOf(jwkOf("private", p256())),
		`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB","e":"AQAB"}]}`,
		`<html>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, warnings, err := Parse(data)
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys and error %v", len(keys), err)
		}
		if len(keys)+len(warnings) > maxKeys {
			t.Fatalf("%d keys", len(keys)+len(warnings))
		}
		for _, key := range keys {
			var fits []string
			switch public := key.Public.(type) {
			case *rsa.PublicKey:
				if bits := public.N.BitLen(); bits < 2048 || bits > 8192 || public.E < 3 {
					t.Fatalf("an RSA key of %d bits, exponent %d", bits, public.E)
				}
				fits = rsaAlgorithms
			case *ecdsa.PublicKey:
				if _, err := public.Bytes(); err != nil {
					t.Fatal(err)
				}
				fits = curves[public.Curve.Params().Name].algorithms
			case ed25519.PublicKey:
				fits = ed25519Algorithms
			}
			if len(key.Algorithms) == 0 || key.Thumbprint == "" || slices.ContainsFunc(key.Algorithms, func(a string) bool { return !slices.Contains(fits, a) }) {
				t.Fatalf("%T verifies %v", key.Public, key.Algorithms)
			}
		}
	})
}
