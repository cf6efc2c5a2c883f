package jwks

import (
	"errors"
	"fmt"
	"testing"
)

func key(kid string, algorithms ...string) Key { return Key{ID: kid, Algorithms: algorithms} }

func ids(keys []Key) (ids []string) {
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	return ids
}

func TestAStaticSetFindsByKidAndAlgorithm(t *testing.T) {
	set := Static([]Key{key("a", "RS256", "PS256"), key("b", "ES256"), key("a", "ES256"), key("", "ES256")})
	for _, c := range []struct{ kid, alg, want string }{
		{"a", "RS256", `["a"]`},
		{"a", "ES256", `["a"]`},
		{"b", "ES256", `["b"]`},
		{"", "ES256", `["b" "a" ""]`},
		{"", "PS256", `["a"]`},
		{"b", "RS256", `[]`},
		{"A", "RS256", `[]`},
		{"c", "ES256", `[""]`}, // a kid is a hint: the key without one may be it
		{"c", "RS256", `[]`},
		{"", "HS256", `[]`},
		{"a", "none", `[]`},
		{"a", "", `[]`},
	} {
		keys, err := set.Lookup(t.Context(), c.kid, c.alg)
		if got := fmt.Sprintf("%q", ids(keys)); got != c.want || (err == nil) != (c.want != "[]") || err != nil && !errors.Is(err, ErrUnknownKey) {
			t.Errorf("%q %q: want %s, got %s, %v", c.kid, c.alg, c.want, got, err)
		}
	}
}

func TestAStaticSetHasNoNewerKeys(t *testing.T) {
	if keys, err := Static([]Key{key("", "ES256")}).Renewed(t.Context(), "a", "ES256", nil); keys != nil || !errors.Is(err, ErrUnknownKey) {
		t.Errorf("got %v, %v", keys, err)
	}
}

func TestASetWithoutKeysRefuses(t *testing.T) {
	if _, err := Static(nil).Lookup(t.Context(), "", "RS256"); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("got %v", err)
	}
}

func TestAtMostSixteenKeysAreTried(t *testing.T) {
	var many []Key
	for i := range 100 {
		many = append(many, key(fmt.Sprint(i), "ES256"), key("same", "ES256"), key("", "ES256"))
	}
	for _, kid := range []string{"", "same", "another"} {
		keys, err := Static(many).Lookup(t.Context(), kid, "ES256")
		if err != nil || len(keys) != 16 {
			t.Errorf("%q: got %d keys, %v", kid, len(keys), err)
		}
	}
	if keys, err := Static(many).Lookup(t.Context(), "99", "ES256"); err != nil || len(keys) != 1 {
		t.Errorf("a kid finds its key wherever it is: %v, %v", keys, err)
	}
}

func TestALookupOfAHeldKeyAllocatesNothing(t *testing.T) {
	r := NewRemote(Config{URL: "u", Fetch: (&provider{answer: good("a")}).fetch})
	defer r.Close()
	if _, err := r.Lookup(t.Context(), "a", "ES256"); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = r.Lookup(t.Context(), "a", "ES256") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
