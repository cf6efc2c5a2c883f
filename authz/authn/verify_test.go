package authn

import (
	"context"
	"errors"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
)

// bilbo is the key of RFC 7520 3.3.
const bilbo = `{"kty":"RSA","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw","e":"AQAB"}`

// vectors are published signatures.
var vectors = map[string]struct{ key, alg, token string }{
	"RFC 7520 4.2": {
		bilbo, "PS384",
		"eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw",
	},
	"RFC 8037 A.4": {
		`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, "EdDSA",
		"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
	},
	"RFC 7520 4.1": {
		bilbo, "RS256",
		"eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg",
	},
	"RFC 7515 A.3": {
		`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`, "ES256",
		"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
	},
}

func TestPublishedSignaturesVerify(t *testing.T) {
	for name, v := range vectors {
		keys, _, err := jwks.Parse([]byte(`{"keys":[` + v.key + `]}`))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s, ok := readSignature(&Token{Raw: v.token, Algorithm: v.alg})
		if !ok || !s.verifies(keys[0].Public) {
			t.Errorf("%s does not verify", name)
			continue
		}
		s.signed[10] ^= 1
		if s.verifies(keys[0].Public) {
			t.Errorf("%s verifies another text", name)
		}
	}
}

func TestAnAlgorithmVerifiesWithKeysOfItsOwnKindOnly(t *testing.T) {
	keys := map[string]any{"secret": secret}
	for name, k := range private() {
		keys[name] = k.Public()
	}
	for alg, own := range map[string]string{
		"HS256": "secret", "RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "PS384": "rsa", "PS512": "rsa",
		"ES256": "ec", "ES384": "ec384", "ES512": "ec521", "EdDSA": "ed",
	} {
		var key any = secret
		if own != "secret" {
			key = private()[own]
		}
		raw := sign(t, jose.SignatureAlgorithm(alg), key, nil, claims())
		for said := range signings {
			s, ok := readSignature(&Token{Raw: raw, Algorithm: said})
			for name, k := range keys {
				if ok && s.verifies(k) != (said == alg && name == own) {
					t.Errorf("a signature of %s with the algorithm %s by the key %s: %v", alg, said, name, s.verifies(k))
				}
			}
		}
	}
	for _, unknown := range []string{"", "none", "hs256", "ES256K", "Ed448", "RSA"} {
		if _, ok := readSignature(&Token{Raw: "a.b.c", Algorithm: unknown}); ok {
			t.Errorf("%q is an algorithm", unknown)
		}
	}
}

// rotating is a key set whose provider has newer keys.
type rotating struct {
	held, newer []jwks.Key
	err         error
	renewed     int
	tried       []jwks.Key
}

func (r *rotating) Lookup(context.Context, string, string) ([]jwks.Key, error) { return r.held, nil }

func (r *rotating) Renewed(_ context.Context, _, _ string, tried []jwks.Key) ([]jwks.Key, error) {
	r.renewed++
	r.tried = tried
	return r.newer, r.err
}

func TestASignatureThatNoHeldKeyVerifiesIsTriedWithNewerKeys(t *testing.T) {
	one := func(name string) []jwks.Key {
		return []jwks.Key{{ID: "same", Algorithms: []string{"ES256"}, Public: private()[name].Public(), Thumbprint: name}}
	}
	down := &jwks.UnavailableError{Err: errors.New("no keys")}
	for name, c := range map[string]struct {
		set     rotating
		want    authz.Reason
		renewed int
	}{
		"the held key verifies":           {rotating{held: one("ec")}, authz.Allowed, 0},
		"a newer one of its kid verifies": {rotating{held: one("ec2"), newer: one("ec")}, authz.Allowed, 1},
		"there is no newer one":           {rotating{held: one("ec2"), err: jwks.ErrUnknownKey}, authz.SignatureInvalid, 1},
		"no newer one verifies":           {rotating{held: one("ec2"), newer: one("ec2")}, authz.SignatureInvalid, 1},
		"meanwhile no keys are held":      {rotating{held: one("ec2"), err: down}, authz.Unavailable, 1},
		"there was no time to ask":        {rotating{held: one("ec2"), err: context.DeadlineExceeded}, authz.Unavailable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			j := public(t, map[string]string{"ec": "ES256"})
			j.Keys = &c.set
			_, err := check(t, j, sign(t, jose.ES256, private()["ec"], map[string]any{"kid": "same"}, claims()), clock)
			if reason(err) != c.want || c.set.renewed != c.renewed {
				t.Errorf("got %v, asked %d times", err, c.set.renewed)
			}
			if c.renewed > 0 && (len(c.set.tried) != 1 || c.set.tried[0].Thumbprint != "ec2") {
				t.Errorf("tried %v", c.set.tried)
			}
		})
	}
}

func TestNewerKeysAreAskedForOnlyForASignatureThatWasTried(t *testing.T) {
	j := public(t, map[string]string{"ec384": "ES384"})
	set := &rotating{held: []jwks.Key{{Algorithms: []string{"ES384"}, Public: private()["ec384"].Public()}}}
	j.Keys, j.Scheduler = set, nil // admits nothing
	if _, err := check(t, j, sign(t, jose.ES384, private()["ec384"], nil, claims()), clock); reason(err) != authz.Overloaded || set.renewed != 0 {
		t.Errorf("got %v, asked %d times", err, set.renewed)
	}
}
