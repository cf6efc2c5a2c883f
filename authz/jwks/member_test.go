package jwks

import (
	"strings"
	"testing"
)

func TestNullAndEmptyMembersOfAKeyAreAbsent(t *testing.T) {
	ec := jwkOf("", &p256().PublicKey)
	for _, name := range []string{
		"kid", "use", "key_ops", "alg", "k", "d", "p", "q", "dp", "dq", "qi", "oth", "n", "e", "x5c", "x5t", "x5t#S256", "x5u", "ext", "iat",
	} {
		for _, empty := range []string{"null", `""`, "[]", "[ \n]"} {
			keys, warnings, err := Parse([]byte(setOf(strings.TrimSuffix(ec, "}") + `,"` + name + `":` + empty + "}")))
			if err != nil || len(warnings) != 0 || len(keys) != 1 || keys[0].ID != "" || keys[0].Algorithms[0] != "ES256" {
				t.Errorf("%s is %s: got %v, %v, %v", name, empty, keys, warnings, err)
			}
		}
	}
	rsa := strings.TrimSuffix(jwkOf("", &rsa2048().PublicKey), "}")
	for _, name := range []string{"crv", "x", "y"} {
		for _, empty := range []string{"null", `""`, "[]"} {
			if keys, warnings, err := Parse([]byte(setOf(rsa + `,"` + name + `":` + empty + "}"))); len(keys) != 1 || warnings != nil {
				t.Errorf("%s is %s: got %v, %v, %v", name, empty, keys, warnings, err)
			}
		}
	}
}

func TestAPrivateMemberThatIsThereIsRefusedWhateverItsType(t *testing.T) {
	ec := strings.TrimSuffix(jwkOf("", &p256().PublicKey), "}")
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		for _, value := range []string{`"AQ"`, `" "`, "0", "false", "{}", "[null]", `[""]`, "[[]]"} {
			want := "private key"
			if name == "k" {
				want = "symmetric"
			}
			if keys, _, err := Parse([]byte(setOf(ec + `,"` + name + `":` + value + "}"))); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s is %s: got %v, %v", name, value, keys, err)
			}
		}
	}
}

func TestAMemberThatIsThereStillNeedsItsType(t *testing.T) {
	ec := strings.TrimSuffix(jwkOf("", &p256().PublicKey), "}")
	for _, member := range []string{`"kid":7`, `"use":["sig"]`, `"key_ops":"verify"`, `"key_ops":[7]`, `"alg":{}`, `"kid":false`} {
		if keys, _, err := Parse([]byte(setOf(ec + "," + member + "}"))); err == nil || !strings.Contains(err.Error(), "not a JWK") {
			t.Errorf("%s: got %v, %v", member, keys, err)
		}
	}
}

func TestKeysOfASPIFFEBundleForCertificatesAreSkippedInSilence(t *testing.T) {
	bundle := `{"spiffe_sequence":1,"spiffe_refresh_hint":300,"keys":[` +
		jwkOf("", &rsa2048().PublicKey, `,"use":"x509-svid","x5c":["MIIB"]`) + "," + jwkOf("a", &p256().PublicKey, `,"use":"jwt-svid"`) + "]}"
	keys, warnings, err := Parse([]byte(bundle))
	if err != nil || len(warnings) != 0 || len(keys) != 1 || keys[0].ID != "a" {
		t.Errorf("got %v, %v, %v", keys, warnings, err)
	}
	alone := setOf(jwkOf("", &rsa2048().PublicKey, `,"use":"x509-svid"`))
	if _, warnings, err := Parse([]byte(alone)); err == nil || warnings != nil || err.Error() != "none of the 1 keys is usable; key 0: use is x509-svid, a key for certificates" {
		t.Errorf("got %v, %v", warnings, err)
	}
	private := setOf(jwkOf("", p256(), `,"use":"x509-svid"`))
	if keys, _, err := Parse([]byte(private)); err == nil || !strings.Contains(err.Error(), "private key") {
		t.Errorf("got %v, %v", keys, err)
	}
}

func TestEd25519IsEdDSAOnItsCurve(t *testing.T) {
	for alg, ok := range map[string]bool{"EdDSA": true, "Ed25519": true, "ed25519": false, "Ed448": false, "ES256": false} {
		keys, _, err := Parse([]byte(setOf(jwkOf("a", newEd25519(), `,"alg":"`+alg+`"`))))
		if ok != (err == nil) {
			t.Errorf("%s: got %v, %v", alg, keys, err)
			continue
		}
		for _, asked := range []string{"EdDSA", "Ed25519"} {
			if found, err := Static(keys).Lookup(t.Context(), "a", asked); ok != (err == nil) {
				t.Errorf("a key of %s for %s: got %v, %v", alg, asked, found, err)
			}
		}
	}
	if keys, _, err := Parse([]byte(setOf(jwkOf("a", &p256().PublicKey, `,"alg":"Ed25519"`)))); err == nil {
		t.Errorf("on another curve: got %v", keys)
	}
}

func TestKeysWithoutKidThatAreNeverTriedAreWarnedOf(t *testing.T) {
	without, with := jwkOf("", &p256().PublicKey), jwkOf("a", &p256().PublicKey)
	set := func(key string, n int) []byte {
		return []byte(setOf(strings.TrimSuffix(strings.Repeat(key+",", n), ",")))
	}
	for name, c := range map[string]struct {
		set  []byte
		want int
	}{"sixteen": {set(without, 16), 0}, "more": {set(without, 17), 1}, "more with a kid": {set(with, 17), 0}} {
		_, warnings, err := Parse(c.set)
		if err != nil || len(warnings) != c.want || c.want == 1 && !strings.Contains(warnings[0].Message, "17 keys without kid may verify ES256") {
			t.Errorf("%s: got %v, %v", name, warnings, err)
		}
	}
}
