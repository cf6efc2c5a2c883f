package main

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
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
	collectSeldom(t.Context(), 1<<40)
	if got := debug.SetGCPercent(usualPercent); got != usualPercent {
		t.Fatalf("expected the environment's word, got %d", got)
	}
}

func TestCollectionsFollowWhatIsInUse(t *testing.T) {
	before := debug.SetGCPercent(usualPercent)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	const between = 128 << 20
	ctx, stop := context.WithCancel(t.Context())
	followed := make(chan struct{})
	go func() { defer close(followed); collectSeldom(ctx, between) }()
	t.Cleanup(func() { stop(); <-followed })

	waitForPercent(t, "little in use", func(percent int) bool { return percent > usualPercent })
	held := make([]byte, 2*between)
	waitForPercent(t, "much in use", func(percent int) bool { return percent == usualPercent })
	runtime.KeepAlive(held)
}

func waitForPercent(t *testing.T, when string, want func(int) bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		runtime.GC() // only a collection counts what is in use
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(sample)
		percent := int(sample[0].Value.Uint64())
		if want(percent) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: GOGC is %d", when, percent)
		}
	}
}
