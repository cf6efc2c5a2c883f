package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// mostBetween and leastBetween bound how much is allocated from one garbage
	// collection to the next where little is in use, in bytes.
	mostBetween, leastBetween = 256 << 20, 4 << 20
	usualPercent              = 100
)

// collectSeldom lets the garbage collector wait until so many bytes were
// allocated since its last run, though little is in use: a few megabytes of policies
// would have it run a hundred times a second under load. Where more than that is in use
// it runs as it does by itself, and near the memory limit more often. GOGC in the
// environment has the last word. It follows what is in use until ctx ends: a process
// that has just started uses a tenth of what it will.
func collectSeldom(ctx context.Context, between int64) {
	if _, set := os.LookupEnv("GOGC"); set {
		return
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for percent := 0; ; {
		if next := collectPercent(inUse(), between); next != percent {
			percent = next
			debug.SetGCPercent(percent)
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// betweenCollections is a quarter of the memory limit, and 256 MiB at most.
func betweenCollections(limit int64) int64 {
	return min(max(limit/4, leastBetween), mostBetween)
}

// collectPercent is the GOGC with which `between` bytes are allocated before the next
// collection, in steps: each change stops the process for a moment.
func collectPercent(live uint64, between int64) int {
	const step = 25
	percent := int64(100 * float64(between) / float64(max(live, 1<<20)))
	return int(max(usualPercent, percent/step*step))
}

// inUse is what the last collection left, and what else it looks through: Go takes GOGC
// per cent of all of it.
func inUse() (sum uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/globals:bytes"}, {Name: "/gc/scan/stack:bytes"}}
	metrics.Read(samples)
	for _, s := range samples {
		sum += s.Value.Uint64()
	}
	return sum
}
