package authn

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestATokenIsReadStrictly(t *testing.T) {
	raw := mac(`{"alg":"HS256","kid":"k1","typ":"at+jwt"}`, `{"iss":"me","n":9007199254740993,"f":1.5,"big":18446744073709551616,"a":[1,"x",null,true,{}]}`)
	token, err := ParseToken(raw)
	if err != nil {
		t.Fatal(err)
	}
	if token.Raw != raw || token.Algorithm != "HS256" || token.KeyID != "k1" || token.Type != "at+jwt" || !token.HasType || token.Issuer != "me" || !token.HasIssuer {
		t.Errorf("got %+v", token)
	}
	if n := token.Claims["n"]; n != int64(9007199254740993) {
		t.Errorf("a whole number is %T %v", n, n)
	}
	if f := token.Claims["f"]; f != 1.5 {
		t.Errorf("a fraction is %T %v", f, f)
	}
	if f, ok := token.Claims["big"].(float64); !ok {
		t.Errorf("a number beyond 64 bits is %T %v", f, f)
	}
	if a, ok := token.Claims["a"].([]any); !ok || len(a) != 5 || a[0] != int64(1) || a[2] != nil || a[3] != true {
		t.Errorf("a list is %v", token.Claims["a"])
	}
}

func TestWhatIsNoTokenIsNobodysYet(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing":                       "",
		"an opaque token":               "2YotnFZFEjr1zCsicMWpAA",
		"one dot":                       b64(`{"alg":"HS256"}`) + ".x",
		"two dots and no JSON":          "a.b.c",
		"dots alone":                    "..",
		"a JSON list":                   b64(`["HS256"]`) + ".e30.",
		"a JSON string":                 b64(`"{"`) + ".e30.",
		"text that contains an object":  b64(`x{}`) + ".e30.",
		"an IP address":                 "192.0.2.1",
		"an object before two dots raw": "{}.{}.x",
	} {
		t.Run(name, func(t *testing.T) {
			if token, err := ParseToken(raw); !errors.Is(err, ErrNotToken) || token != nil {
				t.Errorf("expected ErrNotToken, got %v", err)
			}
		})
	}
}

// What has the form of a JWT and a blemish is bad, whoever could own it: it is
// never shown to another method.
func TestATokenWithABlemishIsMalformed(t *testing.T) {
	good := mac(hs256, claims())
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	deep := strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40)
	for name, raw := range map[string]string{
		"padding behind the header":               header + "=." + payload + "." + signature,
		"padding behind the payload":              header + "." + payload + "=." + signature,
		"padding behind the signature":            good + "=",
		"a line break behind the signature":       good + "\n",
		"a line break within the header":          header[:4] + "\n" + header[4:] + "." + payload + "." + signature,
		"a line break within the payload":         header + "." + payload[:4] + "\n" + payload[4:] + "." + signature,
		"a space within the header":               header[:4] + " " + header[4:] + "." + payload + "." + signature,
		"standard base64":                         b64(`{"alg":"HS256","x":"??>"}`)[:10] + "+" + header[11:] + "." + payload + "." + signature,
		"trailing bits in the signature":          header + "." + payload + "." + signature[:len(signature)-1] + next(signature),
		"a dot at the end":                        good + ".",
		"five parts (an encrypted token)":         b64(`{"alg":"dir","enc":"A256GCM"}`) + ".a.b.c.d",
		"a header without alg":                    mac(`{"typ":"JWT"}`, claims()),
		"an alg that is no string":                mac(`{"alg":["HS256"]}`, claims()),
		"an alg in another letter case":           mac(`{"ALG":"HS256"}`, claims()),
		"alg twice":                               mac(`{"alg":"none","alg":"HS256"}`, claims()),
		"a header with a byte order mark":         mac("\xef\xbb\xbf"+hs256, claims()),
		"a header with a trailing brace":          mac(hs256+"}", claims()),
		"two headers":                             mac(hs256+hs256, claims()),
		"a header that is not closed":             mac(`{"alg":"HS256"`, claims()),
		"a header with a comment":                 mac(`{"alg":"HS256"/**/}`, claims()),
		"a header that is no UTF-8":               mac("{\"alg\":\"HS256\",\"x\":\"\xff\"}", claims()),
		"crit":                                    mac(`{"alg":"HS256","crit":["exp"]}`, claims()),
		"an empty crit":                           mac(`{"alg":"HS256","crit":[]}`, claims()),
		"crit that is null":                       mac(`{"alg":"HS256","crit":null}`, claims()),
		"b64":                                     mac(`{"alg":"HS256","b64":false}`, claims()),
		"b64 that is true":                        mac(`{"alg":"HS256","b64":true}`, claims()),
		"a nested token":                          mac(`{"alg":"HS256","cty":"JWT"}`, claims()),
		"a kid that is no string":                 mac(`{"alg":"HS256","kid":1}`, claims()),
		"an alg that is null":                     mac(`{"alg":null}`, claims()),
		"a typ that is no string":                 mac(`{"alg":"HS256","typ":{}}`, claims()),
		"a payload that is a list":                mac(hs256, `["a"]`),
		"a payload that is a string":              mac(hs256, `"a"`),
		"a payload that is null":                  mac(hs256, `null`),
		"an empty payload":                        mac(hs256, ``),
		"a payload with a claim twice":            mac(hs256, `{"sub":"a","sub":"b"}`),
		"a payload with an escaped claim twice":   mac(hs256, `{"sub":"a","s\u0075b":"b"}`),
		"a payload with a nested claim twice":     mac(hs256, `{"act":{"sub":"a","sub":"b"}}`),
		"a payload with a byte order mark":        mac(hs256, "\xef\xbb\xbf"+claims()),
		"a payload with something behind it":      mac(hs256, claims()+"x"),
		"a payload with a number that is none":    mac(hs256, `{"exp":01}`),
		"a payload with NaN":                      mac(hs256, `{"exp":NaN}`),
		"a payload with a number beyond a double": mac(hs256, `{"exp":1e400}`),
		"a payload that nests too deeply":         mac(hs256, deep),
		"a payload with half a surrogate":         mac(hs256, `{"sub":"\ud800"}`),
		"a payload with a control in a string":    mac(hs256, "{\"sub\":\"a\nb\"}"),
		"an iss that is no string":                mac(hs256, `{"iss":["https://idp.example.com"]}`),
		"more than 16 KiB":                        mac(hs256, claims(`"x":"`+strings.Repeat("x", authz.MaxToken)+`"`)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseToken(raw)
			if got := reason(err); got != authz.CredentialMalformed {
				t.Fatalf("expected CredentialMalformed, got %s: %v", got, err)
			}
			if _, err := check(t, shared(), raw, clock); reason(err) != authz.CredentialMalformed {
				t.Errorf("expected the method to reject it, got %v", err)
			}
		})
	}
}

// next is the last character with its unused bits set: it decodes to the same
// bytes in a decoder that is not strict.
func next(signature string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, signature[len(signature)-1])+1])
}

func TestATokenOf16KiBIsRead(t *testing.T) {
	padding := func(n int) string { return mac(hs256, claims(`"x":"`+strings.Repeat("x", n)+`"`)) }
	n := (authz.MaxToken-len(padding(0)))*3/4 - 4
	for len(padding(n+1)) <= authz.MaxToken {
		n++
	}
	if _, err := ParseToken(padding(n)); err != nil {
		t.Errorf("a token of %d bytes: %v", len(padding(n)), err)
	}
	if _, err := ParseToken(padding(n + 4)); reason(err) != authz.CredentialMalformed {
		t.Errorf("a token of %d bytes: %v", len(padding(n+4)), err)
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(mac(hs256, claims()))
	f.Add(mac(`{"alg":"HS256","alg":"none"}`, claims()))
	f.Add(mac(`{"alg":"RS256","kid":"k","typ":"JWT"}`, claims(`"aud":["a"]`)) + "=")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := ParseToken(raw)
		if (token == nil) == (err == nil) {
			t.Fatalf("expected a token or an error, got %v and %v", token, err)
		}
		if err != nil {
			if !errors.Is(err, ErrNotToken) && reason(err) != authz.CredentialMalformed {
				t.Fatalf("expected ErrNotToken or a rejection, got %v", err)
			}
			return
		}
		parts := strings.Split(raw, ".")
		if len(parts) != 3 || len(raw) > authz.MaxToken {
			t.Fatalf("accepted with %d parts and %d bytes", len(parts), len(raw))
		}
		for _, p := range parts {
			if strings.Trim(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
				t.Errorf("accepted with the part %q", p)
			}
		}
		for _, p := range parts[:2] {
			if name := repeated(t, p); name != "" {
				t.Errorf("accepted with %q twice", name)
			}
		}
	})
}

// repeated is a name that an object of the JSON in a part has twice, found by
// another parser than the one under test.
func repeated(t *testing.T, part string) string {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	var open []map[string]bool // the names of each object that is open; nil for a list
	wantName := false
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			t.Fatalf("accepted, and another parser says: %v", err)
		}
		switch name, isName := tok.(string); {
		case tok == json.Delim('{'):
			open, wantName = append(open, map[string]bool{}), true
			continue
		case tok == json.Delim('['):
			open, wantName = append(open, nil), false
			continue
		case tok == json.Delim('}') || tok == json.Delim(']'):
			open = open[:len(open)-1]
		case isName && wantName:
			names := open[len(open)-1]
			if names[name] {
				return name
			}
			names[name], wantName = true, false
			continue
		}
		wantName = len(open) > 0 && open[len(open)-1] != nil
	}
}

// Whatever the bytes are, only what a strict parser reads alike and the secret
// signed is ever accepted.
func FuzzAuthenticate(f *testing.F) {
	f.Add(hs256, claims(), "", true)
	f.Add(`{"alg":"none"}`, claims(), "", false)
	f.Add(`{"alg":"HS256","crit":["x"]}`, claims(), "", true)
	f.Add(`{"alg":"HS256","ALG":"none"}`, claims(`"EXP":1`), "", true)
	f.Add(hs256, claims(`"exp":1`), "", true)
	f.Add(hs256, claims(), "=", true)
	f.Add(hs256, claims(), "\n", true)
	f.Add(hs256, claims(), ".", true)
	f.Fuzz(func(t *testing.T, header, payload, suffix string, signed bool) {
		input := b64(header) + "." + b64(payload)
		raw := input + "." + suffix
		if signed {
			raw = input + "." + macOf(input) + suffix
		}
		id, err := check(t, shared(), raw, clock)
		if err != nil {
			return
		}
		if _, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.HS256}); err != nil {
			t.Errorf("accepted, and a strict parser says: %v", err)
		}
		if raw != input+"."+macOf(input) {
			t.Errorf("accepted with another signature than the secret's: %q", raw)
		}
		if id.Method != "agents" || id.Issuer != "https://idp.example.com" || id.ExpiresAt.Before(clock.Add(-shared().ClockSkew)) {
			t.Errorf("accepted as %+v", id)
		}
	})
}

// What is read of them is bounded where it is read.
func TestATokenMayHaveLongListsAndObjects(t *testing.T) {
	var members []string
	for i := range 300 {
		members = append(members, fmt.Sprintf(`"m%d":[1%s]`, i, strings.Repeat(",1", i%2*10)))
	}
	list := "[1" + strings.Repeat(",1", 4000) + "]"
	for _, payload := range []string{claims(`"groups":` + list), claims(`"x":{` + strings.Join(members, ",") + `}`), claims(members...)} {
		if _, err := check(t, shared(), mac(hs256, payload), clock); err != nil {
			t.Errorf("%.80s: %v", payload, err)
		}
	}
}

func TestWhatIsNullInATokenIsAbsent(t *testing.T) {
	token, err := ParseToken(mac(`{"alg":"HS256","kid":null,"typ":null,"b64":null,"cty":null,"jwk":null}`,
		`{"iss":null,"a":{"b":null,"c":[{"d":null,"e":1}]},"l":[null,1]}`))
	if err != nil {
		t.Fatal(err)
	}
	if token.KeyID != "" || token.HasType || token.HasIssuer {
		t.Errorf("got %+v", token)
	}
	if got, want := fmt.Sprint(token.Claims), "map[a:map[c:[map[e:1]]] l:[<nil> 1]]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestATokenThatCannotBeReadSaysWhy(t *testing.T) {
	payload := b64(claims())
	for name, c := range map[string]struct{ raw, want string }{
		"padded":          {b64(hs256) + "." + payload + "==." + macOf("x"), "its payload is padded with '='"},
		"padded header":   {b64(hs256) + "=." + payload + "." + macOf("x"), "its header is padded with '='"},
		"padded at last":  {b64(hs256) + "." + payload + "." + macOf("x") + "=", "its signature is padded with '='"},
		"base64":          {b64(hs256) + "." + payload + "+/." + macOf("x"), "its payload is in base64 with '+' or '/'"},
		"white space":     {b64(hs256) + "." + payload + "\n." + macOf("x"), "its payload has white space"},
		"cut":             {b64(hs256) + "." + "e31" + "." + macOf("x"), "its payload is no whole base64url"},
		"wrong JSON":      {mac(hs256, `{"sub":}`), "its payload is wrong JSON"},
		"cut JSON":        {mac(hs256, `{"sub":"a"`), "its payload is wrong JSON"},
		"a list":          {mac(hs256, `[]`), "its payload is no JSON object"},
		"more":            {mac(hs256, `{}{}`), "its payload has something behind its JSON object"},
		"a name twice":    {mac(hs256, `{"sub":"a","sub":"b"}`), "its payload has a name twice"},
		"nested":          {mac(hs256, strings.Repeat(`{"a":`, 40)+"1"+strings.Repeat("}", 40)), "its payload nests more than 32"},
		"a large number":  {mac(hs256, `{"a":1e400}`), "its payload has a number beyond"},
		"a mark":          {mac(hs256, "\xef\xbb\xbf{}"), "its payload begins with a byte order mark"},
		"a kid as number": {mac(`{"alg":"HS256","kid":7}`, claims()), "the kid in its header is a number, expected a text"},
		"iss as a list":   {mac(hs256, `{"iss":["a"]}`), "its iss is a list, expected a text"},
		"encrypted":       {b64(`{"alg":"dir","enc":"A256GCM"}`) + ".a.b.c.d", "this one has 5: encrypted tokens are not accepted"},
	} {
		_, err := ParseToken(c.raw)
		var rejected *Rejected
		if !errors.As(err, &rejected) || !strings.Contains(rejected.Detail, c.want) {
			t.Errorf("%s: expected %q, got %v", name, c.want, err)
		}
		if name == "a name twice" && (rejected == nil || rejected.Came == nil || rejected.Came() != `the name "sub" occurs twice`) {
			t.Errorf("the name that occurs twice is not told")
		}
	}
}
