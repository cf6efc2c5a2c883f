package jwks

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz"
)

// jwkOf is key as a JWK; extra are members to add, each as `,"name":value`.
func jwkOf(kid string, key any, extra ...string) string {
	text, err := (&jose.JSONWebKey{Key: key, KeyID: kid}).MarshalJSON()
	if err != nil {
		panic(err)
	}
	return strings.TrimSuffix(string(text), "}") + strings.Join(extra, "") + "}"
}

func setOf(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

func newEC(c elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

var (
	p256    = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P256()) })
	rsa2048 = sync.OnceValue(func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return key
	})
)

// oddRSA is no real key, but one of the right size.
func oddRSA(bits uint, e int) *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: e}
}

func newEd25519() ed25519.PublicKey { return bytes.Repeat([]byte{7}, 32) }

func TestEveryKindOfKeyVerifiesWhatFitsIt(t *testing.T) {
	p384, p521 := newEC(elliptic.P384()), newEC(elliptic.P521())
	for _, c := range []struct {
		jwk  string
		want []string
	}{
		{jwk: jwkOf("a", &rsa2048().PublicKey), want: []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}},
		{jwk: jwkOf("a", oddRSA(8192, 3)), want: rsaAlgorithms},
		{jwk: jwkOf("a", oddRSA(8192, 65537)), want: rsaAlgorithms},
		{jwk: jwkOf("a", oddRSA(4096, 2147483647)), want: rsaAlgorithms},
		{jwk: jwkOf("a", &rsa2048().PublicKey, `,"alg":"PS384","use":"sig","key_ops":["verify"]`), want: []string{"PS384"}},
		{jwk: jwkOf("a", &p256().PublicKey), want: []string{"ES256"}},
		{jwk: jwkOf("a", &p384.PublicKey), want: []string{"ES384"}},
		{jwk: jwkOf("a", &p521.PublicKey, `,"alg":"ES512"`), want: []string{"ES512"}},
		{jwk: jwkOf("a", newEd25519(), `,"x5c":["nonsense"],"x5u":1,"new":{}`), want: []string{"EdDSA"}},
	} {
		keys, warnings, err := Parse([]byte(setOf(c.jwk)))
		if err != nil || len(warnings) != 0 || len(keys) != 1 {
			t.Fatalf("%s: %v %v", c.jwk, warnings, err)
		}
		if keys[0].ID != "a" || !slices.Equal(keys[0].Algorithms, c.want) {
			t.Errorf("%s: got %v", c.jwk, keys[0])
		}
		if k, ok := keys[0].Public.(*rsa.PublicKey); ok && k.Size() > 512 {
			continue // go-jose reads 4096 bits at most
		}
		// What go-jose reads of it is the second opinion.
		var other jose.JSONWebKey
		if err := other.UnmarshalJSON([]byte(strings.Replace(c.jwk, `,"x5c":["nonsense"],"x5u":1`, "", 1))); err != nil {
			t.Fatal(err)
		}
		if public := keys[0].Public.(interface{ Equal(crypto.PublicKey) bool }); !public.Equal(other.Key) {
			t.Errorf("%s: read another key than go-jose", c.jwk)
		}
	}
}

func TestTheThumbprintIsThatOfRFC7638(t *testing.T) {
	const example = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	keys, _, err := Parse([]byte(setOf(example)))
	if err != nil || keys[0].Thumbprint != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("got %v, %v", keys, err)
	}
}

func TestOneUnusableKeySpoilsNothing(t *testing.T) {
	ec := jwkOf("bad", &p256().PublicKey)
	x := ec[strings.Index(ec, `"x":"`)+5:][:43]
	wide := strings.Replace(ec, `"x":"`+x, `"x":"AA`+x, 1)
	b64 := base64.RawURLEncoding.EncodeToString
	for jwk, want := range map[string]string{
		`{"kty":"oct","kid":"bad","k":"c2VjcmV0"}`:                                          "symmetric",
		jwkOf("bad", &p256().PublicKey, `,"k":"c2VjcmV0"`):                                  "symmetric",
		jwkOf("bad", p256()):                                                                "private key",
		jwkOf("bad", rsa2048()):                                                             "private key",
		jwkOf("bad", &rsa2048().PublicKey, `,"q":"AQ"`):                                     "private key",
		jwkOf("bad", oddRSA(2047, 65537)):                                                   "less than 2048",
		jwkOf("bad", oddRSA(1024, 65537)):                                                   "less than 2048",
		jwkOf("bad", oddRSA(8193, 65537)):                                                   "more than 8192",
		jwkOf("bad", oddRSA(2048, 1)):                                                       "exponent",
		jwkOf("bad", oddRSA(4104, 65539)):                                                   "exponent is over 65537",
		jwkOf("bad", oddRSA(8192, 2147483647)):                                              "exponent is over 65537",
		jwkOf("bad", oddRSA(2048, 65536)):                                                   "exponent",
		`{"kty":"RSA","kid":"bad","e":"AQAB"}`:                                              "n or e is missing",
		jwkOf("bad", &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 3}):        "even",
		strings.Replace(jwkOf("bad", oddRSA(2048, 3)), `"e":"Aw"`, `"e":"AQAAAAAAAAAD"`, 1): "exponent",
		jwkOf("bad", &p256().PublicKey, `,"use":"enc"`):                                     "use is neither sig nor jwt-svid",
		jwkOf("bad", &p256().PublicKey, `,"use":"SIG"`):                                     "use is neither sig nor jwt-svid",
		jwkOf("bad", &p256().PublicKey, `,"key_ops":["sign"]`):                              "without verify",
		jwkOf("bad", &p256().PublicKey, `,"alg":"ES384"`):                                   "alg names no",
		jwkOf("bad", &p256().PublicKey, `,"alg":"HS256"`):                                   "alg names no",
		jwkOf("bad", &rsa2048().PublicKey, `,"alg":"RSA-OAEP"`):                             "alg names no",
		jwkOf("bad", &rsa2048().PublicKey, `,"alg":"none"`):                                 "alg names no",
		jwkOf("bad", &rsa2048().PublicKey, `,"alg":"ES256"`):                                "alg names no",
		strings.Replace(ec, "P-256", "secp256k1", 1):                                        "crv is none of",
		strings.Replace(ec, "P-256", "P-384", 1):                                            "as long as the curve",
		strings.Replace(ec, x, b64(make([]byte, 32)), 1):                                    "no point of the curve",
		strings.Replace(ec, x, x+"=", 1):                                                    "not base64url",
		strings.Replace(ec, x, x[:20]+`\n`+x[20:], 1):                                       "not base64url",
		wide: "as long as the curve",
		`{"kty":"OKP","kid":"bad","crv":"X25519","x":"` + b64(make([]byte, 32)) + `"}`:  "Ed25519",
		`{"kty":"OKP","kid":"bad","crv":"Ed448","x":"` + b64(make([]byte, 57)) + `"}`:   "Ed25519",
		`{"kty":"OKP","kid":"bad","crv":"Ed25519","x":"` + b64(make([]byte, 31)) + `"}`: "32 bytes",
		`{"kty":"secret","kid":"bad"}`:     "kty is none of",
		`{"kty":"rsa","kid":"bad"}`:        "kty is none of",
		`{"kid":"bad"}`:                    "kty is none of",
		`{"kid":"bad","kty":7}`:            "not a JWK",
		`{"kid":"bad","key_ops":"verify"}`: "not a JWK",
	} {
		good := jwkOf("good", &p256().PublicKey)
		keys, warnings, err := Parse([]byte(setOf(jwk, good, `"secret"`, `null`)))
		if err != nil || len(keys) != 1 || keys[0].ID != "good" || len(warnings) != 3 {
			t.Errorf("%s: got %v, %v, %v", jwk, keys, warnings, err)
			continue
		}
		if w := warnings[0]; w.Severity != authz.Warning || w.Field != "keys[0]" || !strings.HasPrefix(w.Message, "key 0 of the set is not used: ") ||
			!strings.Contains(w.Message, want) || strings.Contains(w.Message, "bad") {
			t.Errorf("%s: want %q, got %+v", jwk, want, w)
		}
		if w := warnings[2]; w.Field != "keys[3]" || !strings.HasPrefix(w.Message, "key 3 of the set is not used: ") {
			t.Errorf("%s: got %+v", jwk, w)
		}
		_, _, err = Parse([]byte(setOf(jwk)))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "bad") {
			t.Errorf("%s alone: want an error with %q and no text of the set, got %v", jwk, want, err)
		}
	}
}

func TestWhatIsNoKeySetIsAnErrorThatRepeatsNothing(t *testing.T) {
	good := jwkOf("a", &p256().PublicKey)
	many := strings.TrimSuffix(strings.Repeat(good+",", maxKeys+1), ",")
	for text, want := range map[string]string{
		"":                                     "malformed JSON",
		"<html>secret</html>":                  "malformed JSON at byte 0",
		setOf(good)[:100]:                      "malformed JSON",
		setOf(good) + `{"secret":1}`:           "malformed JSON",
		"\ufeff" + setOf(good):                 "malformed JSON",
		`{"keys":[{"kid":"` + "\xff" + `"}]}`:  "malformed JSON",
		good:                                   `list "keys"`,
		`{"Keys":[` + good + `]}`:              `list "keys"`,
		`{"keys":null}`:                        `list "keys"`,
		`null`:                                 `list "keys"`,
		`{"keys":{"secret":1}}`:                "other members or types",
		`[` + good + `]`:                       "other members or types",
		`{"keys":[]}`:                          "empty",
		`{"keys":[` + good + `],"keys":[]}`:    "a name twice",
		setOf(good, `{"secret":1,"secret":2}`): "a name twice",
		setOf(good, `{"a":[{"secret":1,"s\u0065cret":2}]}`): "a name twice",
		setOf(many):                              "257 keys, at most 256",
		setOf(good) + strings.Repeat(" ", 1<<20): "at most 1048576",
		setOf(`{"x":[` + strings.Repeat("0,", maxMembers+1) + `0]}`): "members and elements, at most 8192",
	} {
		keys, _, err := Parse([]byte(text))
		if err == nil || keys != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.60s: want %q, got %v", text, want, err)
		}
	}
}
