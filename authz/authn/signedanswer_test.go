package authn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz/jwks"
)

const (
	answerIssuer = "https://idp.example.com"
	answerType   = "token-introspection+jwt"
)

func readSigned(t *testing.T, body string) (*Answer, error) {
	t.Helper()
	s := SignedAnswers{Issuer: answerIssuer, Client: "rs", Keys: keySetOf(t, map[string]string{"ec": "ES256"})}
	return s.Read(t.Context(), []byte(body), clock)
}

// answerClaims are those of a sound answer, with a part replaced.
func answerClaims(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(
		`{"iss":"https://idp.example.com","aud":"rs","iat":1800000000,"token_introspection":{"active":true,"sub":"alice","aud":"orders","n":null}}`)
}

func TestASignedAnswerIsReadAsAPlainOne(t *testing.T) {
	for _, typ := range []string{answerType, "application/" + answerType} {
		got, err := readSigned(t, sign(t, jose.ES256, private()["ec"], map[string]any{"kid": "ec", "typ": typ}, answerClaims()))
		if err != nil || !got.Active || fmt.Sprint(got.Claims) != "map[aud:orders sub:alice]" {
			t.Errorf("%s: got %+v, %v", typ, got, err)
		}
	}
	got, err := readSigned(t, sign(t, jose.ES256, private()["ec"], map[string]any{"kid": "ec", "typ": answerType}, answerClaims(`"active":true`, `"active":false`, `"rs"`, `["x","rs"]`)))
	if err != nil || got.Active || got.Claims != nil {
		t.Errorf("one that is not active: got %+v, %v", got, err)
	}
}

func TestASignedAnswerThatIsNotForThisQuestionIsNotBelieved(t *testing.T) {
	good := map[string]any{"kid": "ec", "typ": answerType}
	by := func(key string, header map[string]any, claims string) string {
		return sign(t, jose.ES256, private()[key], header, claims)
	}
	sound := by("ec", good, answerClaims())
	for name, body := range map[string]string{
		"by another key":                    by("ec2", good, answerClaims()),
		"by a kid that the issuer has not":  by("ec", map[string]any{"kid": "other", "typ": answerType}, answerClaims()),
		"without typ":                       by("ec", map[string]any{"kid": "ec"}, answerClaims()),
		"an access token":                   by("ec", map[string]any{"kid": "ec", "typ": "at+jwt"}, answerClaims()),
		"an ID token":                       by("ec", map[string]any{"kid": "ec", "typ": "JWT"}, answerClaims()),
		"of another issuer":                 by("ec", good, answerClaims("idp.", "evil.")),
		"without issuer":                    by("ec", good, answerClaims(`"iss":`, `"x":`)),
		"for another client":                by("ec", good, answerClaims(`"rs"`, `"other"`)),
		"for nobody":                        by("ec", good, answerClaims(`"aud":"rs",`, ``)),
		"without iat":                       by("ec", good, answerClaims(`"iat"`, `"x"`)),
		"an iat that is a text":             by("ec", good, answerClaims(`1800000000`, `"1800000000"`)),
		"an old one":                        by("ec", good, answerClaims(`1800000000`, `1799999909`)),
		"one of a time to come":             by("ec", good, answerClaims(`1800000000`, `1800000031`)),
		"one that ended":                    by("ec", good, answerClaims(`"iat"`, `"exp":1799999900,"iat"`)),
		"without an answer":                 by("ec", good, answerClaims(`"token_introspection"`, `"x"`)),
		"an answer that is a text":          by("ec", good, answerClaims(`{"active":true,"sub":"alice","aud":"orders","n":null}`, `"{\"active\":true}"`)),
		"without active":                    by("ec", good, answerClaims(`"active":true`, `"x":true`)),
		"active beside the answer":          by("ec", good, answerClaims(`"active":true,`, ``, `"iat"`, `"active":true,"iat"`)),
		"a name twice":                      by("ec", good, answerClaims(`"sub":"alice"`, `"active":false`)),
		"an exp that is no date":            by("ec", good, answerClaims(`"sub":"alice"`, `"exp":"x"`)),
		"not signed":                        "eyJhbGciOiJub25lIiwidHlwIjoidG9rZW4taW50cm9zcGVjdGlvbitqd3QifQ." + strings.Split(sound, ".")[1] + ".",
		"by the secret of the client":       sign(t, jose.HS256, secret, map[string]any{"typ": answerType}, answerClaims()),
		"plain JSON":                        `{"active":true}`,
		"nothing":                           "",
		"a line break behind it":            sound + "\n",
		"two":                               sound + sound,
		"more than 16 KiB":                  by("ec", good, answerClaims(`"alice"`, `"`+strings.Repeat("a", 16<<10)+`"`)),
		"its payload is another's":          strings.Split(sound, ".")[0] + "." + strings.Split(by("ec", good, answerClaims("alice", "mallory")), ".")[1] + "." + strings.Split(sound, ".")[2],
		"encrypted, or of five parts":       sound + ".x.x",
		"a critical extension":              mac(`{"alg":"ES256","typ":"`+answerType+`","crit":["x"]}`, answerClaims()),
		"a signature of nothing":            sound[:strings.LastIndexByte(sound, '.')+1],
		"an algorithm that is not accepted": mac(`{"alg":"none","typ":"`+answerType+`"}`, answerClaims()),
	} {
		got, err := readSigned(t, body)
		if err == nil || got != nil {
			t.Errorf("%s: got %+v, %v", name, got, err)
			continue
		}
		if down := (*Unavailable)(nil); errors.As(err, &down) {
			t.Errorf("%s: expected an answer that is wrong, got %v", name, err)
		}
		for _, never := range []string{"alice", "mallory", "evil", "orders"} {
			if strings.Contains(err.Error(), never) {
				t.Errorf("%s: %q holds what was received", name, err)
			}
		}
	}
}

// gone is a key set that cannot be had.
type gone struct{}

func (gone) Lookup(context.Context, string, string) ([]jwks.Key, error) {
	return nil, &jwks.UnavailableError{RetryAfter: time.Second, Err: errors.New("no connection")}
}

func (gone) Renewed(context.Context, string, string, []jwks.Key) ([]jwks.Key, error) {
	return nil, jwks.ErrUnknownKey
}

func TestASignedAnswerWithoutKeysIsUnavailable(t *testing.T) {
	s := SignedAnswers{Issuer: answerIssuer, Client: "rs", Keys: gone{}}
	got, err := s.Read(t.Context(), []byte(sign(t, jose.ES256, private()["ec"], map[string]any{"kid": "ec", "typ": answerType}, answerClaims())), clock)
	if down := (*Unavailable)(nil); got != nil || !errors.As(err, &down) {
		t.Errorf("expected an *Unavailable, got %+v, %v", got, err)
	}
}
