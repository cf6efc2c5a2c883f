package main

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestLittleInUseIsCollectedSeldomAndMuchAsUsual(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{
		{0, 6400}, {1 << 20, 6400}, {16 << 20, 400}, {20 << 20, 300}, {64 << 20, 100}, {1 << 30, 100},
	} {
		if got := collectPercent(c.live, 64<<20); got != c.want {
			t.Errorf("%d bytes in use: expected GOGC %d, got %d", c.live, c.want, got)
		}
	}
	for limit, want := range map[int64]int64{math.MaxInt64: 256 << 20, 1 << 30: 256 << 20, 256 << 20: 64 << 20, 16 << 20: 4 << 20} {
		if got := betweenCollections(limit); got != want {
			t.Errorf("a limit of %d: expected %d bytes between collections, got %d", limit, want, got)
		}
	}
}

func TestTheEnvironmentHasTheLastWordOnCollections(t *testing.T) {
	before := debug.SetGCPercent(usualPercent)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	t.Setenv("GOGC", "off")
	collectSeldom(1 << 40)
	if got := debug.SetGCPercent(usualPercent); got != usualPercent {
		t.Fatalf("expected the environment's word, got %d", got)
	}
}
