package password

import (
	"testing"
	"time"
)

func TestAddingWhatIsRememberedNeitherDoublesNorProlongsIt(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := &memory{ttl: time.Minute, max: 10, now: func() time.Time { return now }, until: map[digest]time.Time{}}
	m.add(digest{1})
	now = now.Add(59 * time.Second)
	m.add(digest{1})
	if len(m.order) != 1 || !m.has(digest{1}) {
		t.Fatalf("expected one entry, got %d", len(m.order))
	}
	now = now.Add(time.Second)
	if m.has(digest{1}) {
		t.Fatal("expected it to be forgotten a minute after it was first added")
	}
}

func TestWhatRanOutMakesRoomBeforeTheMemoryIsFull(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := &memory{ttl: time.Minute, max: 10, now: func() time.Time { return now }, until: map[digest]time.Time{}}
	for i := range byte(5) {
		m.add(digest{i})
	}
	now = now.Add(time.Minute)
	m.add(digest{9})
	if len(m.until) != 1 || len(m.order) != 1 {
		t.Fatalf("expected one entry, got %d and %d", len(m.until), len(m.order))
	}
}

func TestAKeyedDigestDependsOnPurposeAndOnWhereItsPartsEnd(t *testing.T) {
	b := func(s string) []byte { return []byte(s) }
	seen := map[digest]int{}
	for i, d := range []digest{
		keyed("p", b("ab"), b("c")), keyed("p", b("a"), b("bc")), keyed("p", b("abc")),
		keyed("p", b("abc"), nil), keyed("q", b("abc")), keyed("pa", b("bc")),
	} {
		if other, ok := seen[d]; ok {
			t.Errorf("expected different digests, got %d like %d", i, other)
		}
		seen[d] = i
	}
	if once, again := keyed("p", b("a")), keyed("p", b("a")); once != again {
		t.Error("expected the same digest of the same parts")
	}
}
