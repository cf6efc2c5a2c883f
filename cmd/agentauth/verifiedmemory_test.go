package main

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestKeptCredentialsTakeAnEighthOfTheMemoryLimit(t *testing.T) {
	t.Cleanup(func() { debug.SetMemoryLimit(math.MaxInt64) })
	for limit, want := range map[int64]int64{
		64 << 20: 16 << 20, 128 << 20: 16 << 20, 1 << 30: 128 << 20, 8 << 30: 256 << 20, math.MaxInt64: 128 << 20,
	} {
		debug.SetMemoryLimit(limit)
		if got := verifiedMemory(); got != want {
			t.Errorf("of a limit of %d: expected %d, got %d", limit, want, got)
		}
	}
}
