package authn

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/apikey"
)

const robotKey = "the-first-key-of-the-robot"

func robots() *APIKey {
	secret := func(name string, annotations map[string]string, keys map[string]string) *apikey.Secret {
		data := map[string][]byte{}
		for entry, key := range keys {
			data[entry] = fmt.Appendf(nil, "sha256:%x", sha256.Sum256([]byte(key)))
		}
		return apikey.Parse("shop", name, nil, annotations, data)
	}
	return &APIKey{Method: "keys", Keys: new(apikey.Index).Table([]*apikey.Secret{
		secret("robot", map[string]string{"agentauth.dev/scopes": "a"}, map[string]string{"first": robotKey, "one": "the-key-of-two-homes", "none": ""}),
		secret("ends", map[string]string{"agentauth.dev/expires-at": clock.UTC().Format(time.RFC3339)}, map[string]string{"ends": "the-key-that-ends"}),
		secret("other", nil, map[string]string{"two": "the-key-of-two-homes", "none": ""}),
	})}
}

func TestAnAPIKeyIsFoundByAllOfIt(t *testing.T) {
	a := robots()
	id, err := check(t, a, robotKey, clock)
	if err != nil || id.Subject != "robot" || id.Method != "keys" || id.CredentialID != "first" {
		t.Fatalf("got %+v, %v", id, err)
	}
	if id, _, _ := a.Keys.Find(robotKey); id.Method != "" {
		t.Error("the table was changed")
	}
	for name, key := range map[string]string{
		"a prefix": robotKey[:20], "more": robotKey + "x", "another case": strings.ToUpper(robotKey),
		"a digest": string(formatted(robotKey)), "nothing": "", "a key of two Secrets": "the-key-of-two-homes",
		"a line break behind it": robotKey + "\n",
	} {
		if _, err := check(t, a, key, clock); !errors.Is(err, ErrNotMine) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := check(t, &APIKey{}, robotKey, clock); !errors.Is(err, ErrNotMine) {
		t.Errorf("no keys at all: got %v", err)
	}
}

func formatted(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

func TestAnAPIKeyEndsWhenItSays(t *testing.T) {
	if _, err := check(t, robots(), "the-key-that-ends", clock.Add(-time.Nanosecond)); err != nil {
		t.Errorf("before its end: %v", err)
	}
	for _, after := range []time.Duration{0, time.Second, 1000 * time.Hour} {
		if _, err := check(t, robots(), "the-key-that-ends", clock.Add(after)); reason(err) != authz.CredentialExpired {
			t.Errorf("%s after its end: %v", after, err)
		}
	}
}

func TestTheEndOfAnAPIKeyNamesItsSecret(t *testing.T) {
	_, err := check(t, robots(), "the-key-that-ends", clock)
	if err == nil || !strings.Contains(err.Error(), "the key ends of Secret shop/ends ended at ") {
		t.Errorf("got %v", err)
	}
}

func TestWhatCameInsteadOfAnAPIKeyIsToldToWhoTraces(t *testing.T) {
	for name, c := range map[string]struct {
		place       Place
		value, want string
	}{
		"a space in a query":  {Place{In: InQuery, Name: "key"}, "ab cd/ef==", "the key has a space, which is what a + in a query means: send it as %2B"},
		"a space in a header": {Place{In: InHeader, Name: "x-api-key"}, "ab cd/ef==", "the selector found 2 keys in 3 Secrets"},
		"a digest":            {Place{In: InHeader, Name: "x-api-key"}, "sha256:" + strings.Repeat("ab", 32), "the digest of a key came: send the key itself; the selector found"},
		"an unknown key":      {Place{In: InQuery, Name: "key"}, "a-key-that-nobody-has", "the selector found 2 keys in 3 Secrets"},
	} {
		_, err := robots().Verify(t.Context(), &Presented{Place: c.place, Value: c.value})
		var n NotMine
		if !errors.Is(err, ErrNotMine) || !errors.As(err, &n) || !strings.HasPrefix(n.Came(), c.want) || strings.Contains(n.Came(), c.value) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAnAPIKeyThatWasSentBadlyIsBad(t *testing.T) {
	p := &Presented{Value: robotKey, Malformed: "white space"}
	if _, err := robots().Verify(t.Context(), p); reason(err) != authz.CredentialMalformed {
		t.Errorf("got %v", err)
	}
}

func TestAnAPIKeyIsFoundWithOneAllocation(t *testing.T) {
	a, p := robots(), &Presented{Value: robotKey}
	if n := testing.AllocsPerRun(100, func() { _, _ = a.Verify(t.Context(), p) }); n > 1 {
		t.Errorf("expected 1 allocation (the identity), got %v", n)
	}
	p.Value = "a-key-that-nobody-has"
	if n := testing.AllocsPerRun(100, func() { _, _ = a.Verify(t.Context(), p) }); n > 0 {
		t.Errorf("expected none for an unknown key, got %v", n)
	}
}
