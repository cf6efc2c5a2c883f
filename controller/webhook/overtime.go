package webhook

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// maxCompile is how long one review may take once it has its turn: less than an
	// API server waits with the chart's settings.
	maxCompile = 4 * time.Second
	// How many reviews that did not end in time may go on: of all, of a source,
	// and of a source and namespace. Go cannot end them, and each takes a core of
	// what decides.
	maxLost            = 4
	maxLostOfSource    = 3
	maxLostOfNamespace = 1
)

var (
	errEndless = fmt.Errorf("expected the review to end within %s; make the policy smaller", maxCompile)
	errLost    = errors.New("reviews that did not end in time still run, and take the place of this one; see the log, and restart this pod")
)

// overtime are the reviews that were given up and still run, so that those after
// them have their turn.
type overtime struct {
	mu   sync.Mutex
	lost map[place]int
}

// place is what a review counts for; without namespace it is a source, without
// both all there are.
type place struct{ source, namespace string }

func (o *overtime) full(p place) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost[place{}] >= maxLost || o.lost[place{source: p.source}] >= maxLostOfSource || o.lost[p] >= maxLostOfNamespace
}

func (o *overtime) add(p place, n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for at := range map[place]bool{{}: true, {source: p.source}: true, p: true} {
		if o.lost[at] += n; o.lost[at] == 0 {
			delete(o.lost, at)
		}
	}
}

// run runs fn unless too many before it still run. Only after nil did fn run to
// its end and may its results be read. What panics in time panics here.
func (o *overtime) run(p place, fn func()) error {
	if o.full(p) {
		return errLost
	}
	ended := make(chan any, 1)
	go func() {
		defer func() { ended <- recover() }()
		fn()
	}()
	timer := time.NewTimer(maxCompile)
	defer timer.Stop()
	select {
	case panicked := <-ended:
		if panicked != nil {
			panic(panicked)
		}
		return nil
	case <-timer.C:
		o.add(p, 1)
		go func() { <-ended; o.add(p, -1) }()
		return errEndless
	}
}
