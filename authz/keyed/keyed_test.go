package keyed

import "testing"

func TestADigestDependsOnPurposeAndOnWhereItsPartsEnd(t *testing.T) {
	b := func(s string) []byte { return []byte(s) }
	seen := map[Digest]int{{}: -1}
	for i, d := range []Digest{
		Of("p", b("ab"), b("c")), Of("p", b("a"), b("bc")), Of("p", b("abc")),
		Of("p", b("abc"), nil), Of("q", b("abc")), Of("pa", b("bc")), Of("p"),
	} {
		if other, ok := seen[d]; ok {
			t.Errorf("expected different digests, got %d like %d", i, other)
		}
		seen[d] = i
	}
	if once, again := Of("p", b("a")), Of("p", b("a")); once != again {
		t.Error("expected the same digest of the same parts")
	}
}
