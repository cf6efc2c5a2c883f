package password

import (
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz/keyed"
)

func TestAddingWhatIsRememberedNeitherDoublesNorProlongsIt(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := &verified{ttl: time.Minute, max: 10, now: func() time.Time { return now }, namespaces: map[string]*remembered{}}
	m.add("shop", keyed.Digest{1})
	now = now.Add(59 * time.Second)
	m.add("shop", keyed.Digest{1})
	if m.len != 1 || !m.has("shop", keyed.Digest{1}) {
		t.Fatalf("expected one entry, got %d", m.len)
	}
	now = now.Add(time.Second)
	if m.has("shop", keyed.Digest{1}) {
		t.Fatal("expected it to be forgotten a minute after it was first added")
	}
}

func TestWhatRanOutMakesRoomBeforeTheBoundIsReached(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := &verified{ttl: time.Minute, max: 10, now: func() time.Time { return now }, namespaces: map[string]*remembered{}}
	for i := range byte(5) {
		m.add("shop", keyed.Digest{i})
	}
	now = now.Add(time.Minute)
	m.add("shop", keyed.Digest{9})
	if m.len != 1 || len(m.namespaces["shop"].order) != 1 {
		t.Fatalf("expected one entry, got %d and %d", m.len, len(m.namespaces["shop"].order))
	}
}

func TestAFloodInOneNamespaceDropsItsOwnDigestsAndNobodyElses(t *testing.T) {
	m := &verified{ttl: time.Minute, max: 100, now: time.Now, namespaces: map[string]*remembered{}}
	digest := func(i int) keyed.Digest { return keyed.Digest{byte(i), byte(i >> 8)} }
	for i := range 10 {
		m.add("victim", digest(i))
	}
	for i := range 1000 {
		m.add("hostile", digest(i))
	}
	for i := range 10 {
		if !m.has("victim", digest(i)) {
			t.Errorf("expected the victim's digest %d to be remembered", i)
		}
	}
	if m.len != 100 || len(m.namespaces["hostile"].order) != 90 || !m.has("hostile", digest(999)) || m.has("hostile", digest(9)) {
		t.Errorf("expected 100 in sum and the newest 90 of the flood, got %d", m.len)
	}
	// Many namespaces have equal parts.
	for n := range 10 {
		for i := range 100 {
			m.add(string(rune('a'+n)), digest(i))
		}
	}
	for name, r := range m.namespaces {
		if len(r.order) < 8 || len(r.order) > 12 {
			t.Errorf("expected each namespace to have about 9, got %d for %s", len(r.order), name)
		}
	}
	// What one namespace verified says nothing to another.
	m.add("victim", keyed.Digest{200, 200})
	if m.has("hostile", keyed.Digest{200, 200}) {
		t.Error("a namespace has another's digest")
	}
}
