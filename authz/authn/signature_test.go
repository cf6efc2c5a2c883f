package authn

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/jwks"
	"github.com/agentauth-dev/agentauth/authz/work"
)

func TestEveryAlgorithmVerifiesWithItsKey(t *testing.T) {
	for alg, kid := range map[jose.SignatureAlgorithm]string{
		"RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "PS384": "rsa", "PS512": "rsa",
		"ES256": "ec", "ES384": "ec384", "ES512": "ec521", "EdDSA": "ed",
	} {
		t.Run(string(alg), func(t *testing.T) {
			j := public(t, map[string]string{kid: string(alg)})
			raw := sign(t, alg, private()[kid], map[string]any{"kid": kid}, claims())
			if _, err := check(t, j, raw, clock); err != nil {
				t.Error(err)
			}
			if _, err := check(t, j, flip(raw), clock); reason(err) != authz.SignatureInvalid {
				t.Errorf("with another signature: got %v", err)
			}
			if _, err := check(t, j, other(raw), clock); reason(err) != authz.SignatureInvalid {
				t.Errorf("with another payload: got %v", err)
			}
		})
	}
}

// flip changes the first bits of the signature.
func flip(raw string) string {
	i := strings.LastIndexByte(raw, '.') + 1
	c := byte('A')
	if raw[i] == 'A' {
		c = 'B'
	}
	return raw[:i] + string(c) + raw[i+1:]
}

// other is the same header and signature around another payload.
func other(raw string) string {
	parts := strings.Split(raw, ".")
	return parts[0] + "." + b64(claims(`"role":"manager"`)) + "." + parts[2]
}

func TestTheAlgorithmIsThePolicysAndTheKeys(t *testing.T) {
	asymmetric := public(t, map[string]string{"rsa": "RS256", "ec": "ES256"})
	publicRSA := private()["rsa"].Public().(*rsa.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(publicRSA)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(jose.JSONWebKey{Key: publicRSA, KeyID: "rsa"})
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string][]byte{
		"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "JWK": jwk,
		"PKCS1": x509.MarshalPKCS1PublicKey(publicRSA),
	} {
		t.Run("HS256 with the public key as "+name, func(t *testing.T) {
			raw := sign(t, jose.HS256, key, map[string]any{"kid": "rsa"}, claims())
			if _, err := check(t, asymmetric, raw, clock); reason(err) != authz.SignatureInvalid {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "", "HS256", "hs256", "ES256K", "RSA1_5", "RS256 ", "dir"} {
		t.Run("alg "+alg, func(t *testing.T) {
			for _, signature := range []string{"", "AA"} {
				header, err := json.Marshal(map[string]string{"alg": alg, "kid": "rsa"})
				if err != nil {
					t.Fatal(err)
				}
				raw := b64(string(header)) + "." + b64(claims()) + "." + signature
				if _, err := check(t, asymmetric, raw, clock); reason(err) != authz.SignatureInvalid {
					t.Errorf("against public keys: got %v", err)
				}
				if alg != "HS256" {
					if _, err := check(t, shared(), raw, clock); reason(err) != authz.SignatureInvalid {
						t.Errorf("against a secret: got %v", err)
					}
				}
			}
		})
	}
	t.Run("a token for one key that names another", func(t *testing.T) {
		raw := sign(t, jose.RS256, private()["rsa"], map[string]any{"kid": "ec"}, claims())
		if _, err := check(t, asymmetric, raw, clock); reason(err) != authz.KeyUnknown {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an algorithm of the key that the policy leaves out", func(t *testing.T) {
		j := public(t, map[string]string{"rsa": "RS256"})
		j.Algorithms = []string{"ES256"}
		raw := sign(t, jose.RS256, private()["rsa"], nil, claims())
		if _, err := check(t, j, raw, clock); reason(err) != authz.SignatureInvalid {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a longer HMAC than the policy's", func(t *testing.T) {
		raw := sign(t, jose.HS512, append(secret, secret...), nil, claims())
		if _, err := check(t, shared(), raw, clock); reason(err) != authz.SignatureInvalid {
			t.Errorf("got %v", err)
		}
	})
}

func TestATokenDoesNotSayWhichKeyToTrust(t *testing.T) {
	j := public(t, map[string]string{"ec": "ES256"})
	mine := private()["ec2"].(*ecdsa.PrivateKey)
	for name, header := range map[string]map[string]any{
		"jwk":                 {"jwk": jose.JSONWebKey{Key: mine.Public(), Algorithm: "ES256"}},
		"jwk and a known kid": {"kid": "ec", "jwk": jose.JSONWebKey{Key: mine.Public(), Algorithm: "ES256"}},
		"jku":                 {"kid": "ec", "jku": "https://evil.example.com/jwks.json"},
		"x5u":                 {"kid": "ec", "x5u": "https://evil.example.com/cert.pem"},
		"x5c":                 {"kid": "ec", "x5c": []string{"MIIB"}},
		"a path for a kid":    {"kid": "../../../../dev/null"},
		"SQL for a kid":       {"kid": "ec' OR '1'='1"},
		"a very long kid":     {"kid": strings.Repeat("k", 8000)},
		"an empty kid":        {"kid": ""},
	} {
		t.Run(name, func(t *testing.T) {
			raw := sign(t, jose.ES256, mine, header, claims())
			if _, err := check(t, j, raw, clock); reason(err) != authz.SignatureInvalid && reason(err) != authz.KeyUnknown {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("a good token that carries them is good", func(t *testing.T) {
		raw := sign(t, jose.ES256, private()["ec"], map[string]any{"kid": "ec", "jku": "https://evil.example.com/jwks.json"}, claims())
		if _, err := check(t, j, raw, clock); err != nil {
			t.Error(err)
		}
	})
}

func TestAnECDSASignatureHasOneForm(t *testing.T) {
	j := public(t, map[string]string{"ec": "ES256"})
	key := private()["ec"].(*ecdsa.PrivateKey)
	good := sign(t, jose.ES256, key, map[string]any{"kid": "ec"}, claims())
	i := strings.LastIndexByte(good, '.') + 1
	sig, err := base64.RawURLEncoding.DecodeString(good[i:])
	if err != nil {
		t.Fatal(err)
	}
	r, s, n := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]), key.Params().N
	width := func(size int, parts ...*big.Int) []byte {
		out := make([]byte, 0, size*len(parts))
		for _, p := range parts {
			out = append(out, p.FillBytes(make([]byte, size))...)
		}
		return out
	}
	zero := new(big.Int)
	for name, forged := range map[string][]byte{
		"no signature":          {},
		"zeros":                 width(32, zero, zero),
		"r is zero":             width(32, zero, s),
		"s is zero":             width(32, r, zero),
		"r is n":                width(32, n, s),
		"s is n":                width(32, r, n),
		"r and s are n":         width(32, n, n),
		"r plus n":              width(33, new(big.Int).Add(r, n), s),
		"longer zeros in front": width(33, r, s),
		"one byte less":         sig[:63],
		"one byte more":         append(append([]byte{}, sig...), 0),
		"twice":                 append(append([]byte{}, sig...), sig...),
		"DER":                   asDER(r, s),
	} {
		t.Run(name, func(t *testing.T) {
			raw := good[:i] + base64.RawURLEncoding.EncodeToString(forged)
			if _, err := check(t, j, raw, clock); reason(err) != authz.SignatureInvalid {
				t.Errorf("got %v", err)
			}
		})
	}
}

// asDER is what many tools write instead of JWS's form. Both numbers get a
// leading zero, which is enough for a parser to read them.
func asDER(r, s *big.Int) []byte {
	number := func(i *big.Int) []byte { return append([]byte{2, 33}, i.FillBytes(make([]byte, 33))...) }
	body := append(number(r), number(s)...)
	return append([]byte{0x30, byte(len(body))}, body...)
}

func TestAKeyOfAnotherCurveDoesNotVerify(t *testing.T) {
	j := public(t, map[string]string{"ec384": "ES256"}) // a set that lies
	raw := sign(t, jose.ES384, private()["ec384"], map[string]any{"kid": "ec384"}, claims())
	if _, err := check(t, j, raw, clock); reason(err) != authz.SignatureInvalid {
		t.Errorf("got %v", err)
	}
	parts := strings.Split(raw, ".")
	raw = b64(`{"alg":"ES256","kid":"ec384"}`) + "." + parts[1] + "." + parts[2]
	if _, err := check(t, j, raw, clock); reason(err) != authz.SignatureInvalid {
		t.Errorf("with the algorithm's name replaced: got %v", err)
	}
}

func TestWithoutAKidEveryKeyThatFitsIsTried(t *testing.T) {
	j := public(t, map[string]string{"ec": "ES256", "ec2": "ES256", "rsa": "RS256"})
	for _, kid := range []string{"ec", "ec2"} {
		if _, err := check(t, j, sign(t, jose.ES256, private()[kid], nil, claims()), clock); err != nil {
			t.Errorf("%s: %v", kid, err)
		}
	}
}

// answers is a key set that answers the same whatever it is asked.
type answers struct {
	keys  []jwks.Key
	err   error
	asked int
}

func (a *answers) Lookup(context.Context, string, string) ([]jwks.Key, error) {
	a.asked++
	return a.keys, a.err
}

func (a *answers) Renewed(context.Context, string, string, []jwks.Key) ([]jwks.Key, error) {
	return nil, jwks.ErrUnknownKey
}

func TestKeysThatCannotBeHadAreNoBadToken(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		want  authz.Reason
		retry time.Duration
	}{
		"no keys are held":            {&jwks.UnavailableError{RetryAfter: 7 * time.Second, Err: errors.New("refused")}, authz.Unavailable, 7 * time.Second},
		"the request ended meanwhile": {context.DeadlineExceeded, authz.Unavailable, 0},
		"something else":              {errors.New("a defect"), authz.Unavailable, 0},
		"the key is unknown":          {jwks.ErrUnknownKey, authz.KeyUnknown, 0},
	} {
		t.Run(name, func(t *testing.T) {
			j := public(t, map[string]string{"ec": "ES256"})
			j.Keys = &answers{err: c.err}
			_, err := check(t, j, sign(t, jose.ES256, private()["ec"], nil, claims()), clock)
			if reason(err) != c.want {
				t.Fatalf("got %v", err)
			}
			if u := (*Unavailable)(nil); errors.As(err, &u) && u.RetryAfter != c.retry {
				t.Errorf("expected to be asked again after %s, got %s", c.retry, u.RetryAfter)
			}
		})
	}
}

func TestKeysAreAskedForOnlyWhenATokenIsWorthIt(t *testing.T) {
	for name, raw := range map[string]string{
		"another's token":   sign(t, jose.ES256, private()["ec"], nil, `{"iss":"https://x.example.com"}`),
		"a refused type":    sign(t, jose.ES256, private()["ec"], map[string]any{"typ": "dpop+jwt"}, claims()),
		"another algorithm": mac(hs256, claims()),
		"a malformed token": sign(t, jose.ES256, private()["ec"], nil, claims()) + "=",
		"no token":          "opaque",
	} {
		set := &answers{}
		j := public(t, map[string]string{"ec": "ES256"})
		j.Keys = set
		if _, err := check(t, j, raw, clock); err == nil || set.asked > 0 {
			t.Errorf("%s: got %v, and the keys were asked for %d times", name, err, set.asked)
		}
	}
}

func TestAnEmptyAnswerOfAKeySetVerifiesNothing(t *testing.T) {
	j := public(t, map[string]string{"ec": "ES256"})
	j.Keys = &answers{}
	if _, err := check(t, j, sign(t, jose.ES256, private()["ec"], nil, claims()), clock); reason(err) != authz.SignatureInvalid {
		t.Errorf("got %v", err)
	}
}

func TestSlowSignaturesGoThroughTheScheduler(t *testing.T) {
	for alg, c := range map[jose.SignatureAlgorithm]struct {
		kid  string
		want authz.Reason
	}{
		"ES384": {"ec384", authz.Overloaded}, "ES512": {"ec521", authz.Overloaded},
		"ES256": {"ec", authz.Allowed}, "RS256": {"rsa", authz.Allowed}, "EdDSA": {"ed", authz.Allowed},
	} {
		j := public(t, map[string]string{c.kid: string(alg)})
		j.Scheduler = nil // admits nothing
		if _, err := check(t, j, sign(t, alg, private()[c.kid], nil, claims()), clock); reason(err) != c.want {
			t.Errorf("%s: expected %s, got %v", alg, c.want, err)
		}
	}
}

func TestASlowSignatureThatCannotBeCheckedInTimeIsUnavailable(t *testing.T) {
	j := public(t, map[string]string{"ec384": "ES384"})
	j.Scheduler = work.New(work.Options{Slots: 1})
	release, started := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- j.Scheduler.Do(context.Background(), work.Task{}, func() { close(started); <-release })
	}()
	<-started
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	p := &Presented{Value: sign(t, jose.ES384, private()["ec384"], nil, claims())}
	if _, err := j.Verify(ctx, p); reason(err) != authz.Unavailable {
		t.Errorf("got %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAGoodSignatureDoesNotMakeUpForAnIssuerThatIsNotThePolicys(t *testing.T) {
	const google = "https://accounts.google.com"
	exact := func() *JWT {
		j := public(t, map[string]string{"ec": "ES256"})
		j.Issuer = google
		return j
	}
	anyIssuer := func() *JWT {
		j := exact()
		j.Issuer, j.AnyIssuer, j.OtherIssuers = "", true, []string{"https://theirs.example.com"}
		return j
	}
	for iss, want := range map[string][2]authz.Reason{ // by the issuer, and for any issuer
		`"iss":"https://accounts.google.com",`:  {authz.Allowed, authz.Allowed},
		`"iss":"accounts.google.com",`:          {"NotMine", authz.Allowed}, // some libraries take this for the former
		`"iss":"https://accounts.google.com/",`: {"NotMine", authz.Allowed},
		`"iss":"https://evil.example.com",`:     {"NotMine", authz.Allowed},
		`"iss":"https://theirs.example.com",`:   {"NotMine", "NotMine"},
		`"iss":"",`:                             {"NotMine", authz.Allowed},
		``:                                      {"NotMine", authz.Allowed},
		`"ISS":"https://accounts.google.com",`:  {"NotMine", authz.Allowed},
		`"iss":"https://x.example.com","ISS":"` + google + `",`:  {"NotMine", authz.Allowed},
		`"iss":["https://accounts.google.com"],`:                 {authz.CredentialMalformed, authz.CredentialMalformed},
		`"iss":null,`:                                            {"NotMine", authz.Allowed},
		`"iss":"https://x.example.com","iss":"` + google + `",`:  {authz.CredentialMalformed, authz.CredentialMalformed},
		`"iss":"https://accounts.google.com","_claim_names":{},`: {authz.Allowed, authz.Allowed},
	} {
		raw := sign(t, jose.ES256, private()["ec"], map[string]any{"kid": "ec"}, `{`+iss+`"aud":"orders","exp":1800000600}`)
		for i, j := range []*JWT{exact(), anyIssuer()} {
			id, err := check(t, j, raw, clock)
			if reason(err) != want[i] {
				t.Errorf("%s, method %d: expected %s, got %v", iss, i, want[i], err)
			}
			if err == nil && i == 0 && id.Issuer != google {
				t.Errorf("%s: identity of the issuer %q", iss, id.Issuer)
			}
		}
	}
}
