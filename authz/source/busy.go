package source

import (
	"sync/atomic"
	"time"
)

// busy says since when one load compiles: the time in the process itself, without
// the reading of the source. The zero value is idle.
type busy struct{ since atomic.Pointer[time.Time] }

func (b *busy) begin() {
	now := time.Now()
	b.since.Store(&now)
}

func (b *busy) end() { b.since.Store(nil) }

// Busy is for how long the load under way has been compiled and reported; 0 if none is.
// It may be called at any time.
func (k *Keeper) Busy() time.Duration {
	if since := k.busy.since.Load(); since != nil {
		return time.Since(*since)
	}
	return 0
}
