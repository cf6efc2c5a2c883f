package jwks

import (
	"testing"
	"time"
)

func fingerprintOf(t *testing.T, s Set) Fingerprint {
	t.Helper()
	f, ok := FingerprintOf(s)
	if !ok {
		t.Fatal("no fingerprint")
	}
	return f
}

func TestSetsWithEqualFingerprintsFindEqualKeys(t *testing.T) {
	a := Key{ID: "a", Algorithms: []string{"RS256", "PS256"}, Thumbprint: "1"}
	b := Key{ID: "b", Algorithms: []string{"ES256"}, Thumbprint: "2"}
	seen := map[Fingerprint]string{}
	for name, keys := range map[string][]Key{
		"none": nil, "one": {a}, "the other": {b}, "both": {a, b}, "both, in another order": {b, a},
		"another kid":                {{ID: "x", Algorithms: a.Algorithms, Thumbprint: "1"}},
		"no kid":                     {{Algorithms: a.Algorithms, Thumbprint: "1"}},
		"another key":                {{ID: "a", Algorithms: a.Algorithms, Thumbprint: "3"}},
		"one algorithm":              {{ID: "a", Algorithms: a.Algorithms[:1], Thumbprint: "1"}},
		"a kid with a part of a key": {{ID: "a1", Algorithms: a.Algorithms, Thumbprint: " "}},
	} {
		f := fingerprintOf(t, Static(keys))
		if other, twice := seen[f]; twice {
			t.Errorf("%s and %s have one fingerprint", name, other)
		}
		seen[f] = name
		if f != fingerprintOf(t, Static(keys)) {
			t.Errorf("%s: it changes", name)
		}
	}
}

func TestKeysThatNothingTellsApartHaveNoFingerprint(t *testing.T) {
	for name, s := range map[string]Set{"no thumbprint": Static([]Key{{ID: "a"}}), "a set that does not tell": otherSet{}, "no set": nil, "not fetched": &Remote{}} {
		if _, ok := FingerprintOf(s); ok {
			t.Errorf("%s: got one", name)
		}
	}
}

func TestTheFingerprintFollowsTheKeysThatAreHeld(t *testing.T) {
	p := &provider{answer: good("a")}
	bubble(t, p, func(t *testing.T, r *Remote) {
		want(t, r, "a", "ok")
		first := fingerprintOf(t, r)
		time.Sleep(time.Hour)
		if p.count() < 5 || fingerprintOf(t, r) != first {
			t.Errorf("it changed with equal keys, after %d fetches", p.count())
		}
		p.set(good("a", "b"), nil)
		time.Sleep(10 * time.Minute)
		second := fingerprintOf(t, r)
		if second == first {
			t.Error("it did not change with another key")
		}
		p.set(Answer{}, errDown)
		time.Sleep(KeepWithout - time.Hour)
		if fingerprintOf(t, r) != second {
			t.Error("it changed while the keys serve")
		}
		time.Sleep(time.Hour)
		if _, ok := FingerprintOf(r); ok {
			t.Error("keys that are too old have one")
		}
		p.set(good("a"), nil)
		time.Sleep(time.Hour)
		if fingerprintOf(t, r) != first {
			t.Error("the first keys came back, and it is another one")
		}
	})
}

func TestAFingerprintAllocatesNothing(t *testing.T) {
	s := Static([]Key{{ID: "a", Thumbprint: "1"}})
	if n := testing.AllocsPerRun(100, func() { FingerprintOf(s) }); n > 0 {
		t.Errorf("got %v", n)
	}
}
