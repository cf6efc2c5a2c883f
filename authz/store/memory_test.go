package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func keyOf(n int) (key [32]byte) {
	binary.BigEndian.PutUint64(key[8:], uint64(n)) // #nosec G115 -- small
	return key
}

// clock is a clock that a test turns.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func TestWhatWasSeenIsSeenUntilItsEndAndNotLonger(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	m := NewMemory(1<<20, c.now)
	ask := func(want bool) {
		t.Helper()
		if seen, err := m.Seen(t.Context(), "shop", keyOf(1), 10*time.Second); err != nil || seen != want {
			t.Errorf("at %d: expected %v, got %v, %v", c.at.Unix(), want, seen, err)
		}
	}
	ask(false)
	ask(true)
	c.at = c.at.Add(10 * time.Second)
	ask(true)
	c.at = c.at.Add(2 * time.Second)
	ask(false)
}

// A clock that is set back forgets nothing.
func TestAClockThatIsSetBackForgetsNothing(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	m := NewMemory(1<<20, c.now)
	_, _ = m.Seen(t.Context(), "shop", keyOf(1), time.Minute)
	c.at = c.at.Add(-time.Hour)
	if seen, _ := m.Seen(t.Context(), "shop", keyOf(1), time.Minute); !seen {
		t.Error("it was forgotten")
	}
}

// A clock that was ahead for a moment does not keep places from coming back.
func TestPlacesComeBackAfterAClockWasAheadForAMoment(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	m := NewMemory(10*sizeOfEntry, c.now)
	c.at = c.at.Add(24 * time.Hour)
	_, _ = m.Seen(t.Context(), "other", keyOf(0), time.Minute)
	c.at = c.at.Add(-24 * time.Hour)
	for i := range 100 {
		_, _ = m.Seen(t.Context(), "shop", keyOf(1+i), time.Minute)
	}
	c.at = c.at.Add(2 * time.Minute)
	if _, err := m.Seen(t.Context(), "shop", keyOf(1000), time.Minute); err != nil {
		t.Error(err)
	}
}

func TestAFullStoreRefusesAndForgetsNothing(t *testing.T) {
	m := NewMemory(100*sizeOfEntry, (&clock{time.Unix(1000, 0)}).now)
	n := 0
	for ; ; n++ {
		if _, err := m.Seen(t.Context(), "flood", keyOf(n), time.Minute); errors.Is(err, ErrFull) {
			break
		}
	}
	if n != 34 {
		t.Errorf("a tenant alone has %d of 100 places, expected a third", n)
	}
	for i := range n {
		if seen, err := m.Seen(t.Context(), "flood", keyOf(i), time.Minute); err != nil || !seen {
			t.Fatalf("entry %d is forgotten: %v, %v", i, seen, err)
		}
	}
}

func TestATenantThatComesLaterFindsPlacesWhateverOthersDo(t *testing.T) {
	m := NewMemory(1000*sizeOfEntry, (&clock{time.Unix(1000, 0)}).now)
	n := 0
	for i := range 8 {
		for ; ; n++ {
			if _, err := m.Seen(t.Context(), fmt.Sprintf("flood-%d", i), keyOf(n), time.Minute); err != nil {
				break
			}
		}
	}
	if _, err := m.Seen(t.Context(), "quiet", keyOf(n+1), time.Minute); err != nil {
		t.Errorf("eight floods leave no place for a tenant that is quiet: %v", err)
	}
}

func TestPlacesComeBackAsTimePasses(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	m := NewMemory(10*sizeOfEntry, c.now)
	for i := range 100 {
		_, _ = m.Seen(t.Context(), "shop", keyOf(i), time.Minute)
	}
	c.at = c.at.Add(2 * time.Minute)
	if _, err := m.Seen(t.Context(), "shop", keyOf(1000), time.Minute); err != nil {
		t.Error(err)
	}
	if len(m.seen) != 1 || len(m.ends) != 1 || len(m.tenants) != 1 {
		t.Errorf("something is left: %d entries, %d ends, %d tenants", len(m.seen), len(m.ends), len(m.tenants))
	}
}

// Whoever asks first after a flood ended does not wait until all of it is forgotten.
func TestOneCallForgetsNoMoreThanItsPart(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	m := NewMemory(10*maxSwept*sizeOfEntry, c.now)
	for i := range 2*maxSwept + 1 {
		if _, err := m.Seen(t.Context(), "flood", keyOf(i), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	c.at = c.at.Add(time.Hour)
	for i, want := range []int{maxSwept + 2, 3, 3} {
		if _, err := m.Seen(t.Context(), "shop", keyOf(1<<20+i), time.Minute); err != nil || len(m.seen) != want {
			t.Errorf("after call %d: expected %d entries, got %d, %v", i, want, len(m.seen), err)
		}
	}
}

func TestOfManyThatAskAtOnceOneHearsThatItWasNotSeen(t *testing.T) {
	m := NewMemory(1<<20, nil)
	var first atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if seen, err := m.Seen(context.Background(), "shop", keyOf(1), time.Minute); err == nil && !seen {
				first.Add(1)
			}
		})
	}
	wg.Wait()
	if first.Load() != 1 {
		t.Errorf("%d heard that it was not seen", first.Load())
	}
}

func TestAStoreThatNobodyMadeHasNoPlace(t *testing.T) {
	for _, m := range []*Memory{nil, {}, NewMemory(0, nil)} {
		if _, err := m.Seen(t.Context(), "shop", keyOf(1), time.Minute); !errors.Is(err, ErrFull) {
			t.Errorf("expected ErrFull, got %v", err)
		}
	}
}
