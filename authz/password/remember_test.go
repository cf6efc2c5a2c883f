package password

import (
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/authz/keyed"
)

func TestAddingWhatIsRememberedNeitherDoublesNorProlongsIt(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := &verified{ttl: time.Minute, max: 10, now: func() time.Time { return now }, until: map[keyed.Digest]time.Time{}}
	m.add(keyed.Digest{1})
	now = now.Add(59 * time.Second)
	m.add(keyed.Digest{1})
	if len(m.order) != 1 || !m.has(keyed.Digest{1}) {
		t.Fatalf("expected one entry, got %d", len(m.order))
	}
	now = now.Add(time.Second)
	if m.has(keyed.Digest{1}) {
		t.Fatal("expected it to be forgotten a minute after it was first added")
	}
}

func TestWhatRanOutMakesRoomBeforeTheBoundIsReached(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := &verified{ttl: time.Minute, max: 10, now: func() time.Time { return now }, until: map[keyed.Digest]time.Time{}}
	for i := range byte(5) {
		m.add(keyed.Digest{i})
	}
	now = now.Add(time.Minute)
	m.add(keyed.Digest{9})
	if len(m.until) != 1 || len(m.order) != 1 {
		t.Fatalf("expected one entry, got %d and %d", len(m.until), len(m.order))
	}
}
