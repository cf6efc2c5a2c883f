package controller

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// How often the watch of a collection is begun: at most watchBurst times at
// once, and then watchesPerSecond. Reflectors wait longer after most failures,
// but not after a watch that brought an event and was cut: they read everything
// again, as fast as they can.
const (
	watchBurst       = 5
	watchesPerSecond = 0.5
)

// settled is how long a watch that continues has to stay open, if it delivers
// nothing, to count as one that would deliver.
const settled = 5 * time.Second

// watchState says since when a collection may not be what the API server has.
// A watch that was only opened proves nothing, so that no failed try makes the
// age begin anew.
type watchState struct {
	// current is when the collection was last known to be what the API server has.
	current time.Time
	listed  time.Time // when the last list began
	open    *openWatch
	opened  time.Time
	// initial: the watch still delivers what there was before it. proven: it has
	// delivered something since.
	initial, proven bool
}

func (s *watchState) lists() { s.listed = time.Now() }

func (s *watchState) opens(w *openWatch, initial bool) {
	s.open, s.opened, s.initial, s.proven = w, time.Now(), initial, false
}

// delivers notes that an event was taken.
func (s *watchState) delivers() { s.proven = s.open != nil && !s.initial }

// reads notes that everything was read, by the watch or by a list.
func (s *watchState) reads() {
	if s.open == nil {
		s.current = s.listed // what changed since will be delivered by the watch
		return
	}
	s.initial, s.proven = false, true
}

func (s *watchState) ends(w *openWatch) {
	if s.open != w {
		return
	}
	if s.holds() {
		s.current = time.Now()
	}
	s.open = nil
}

// holds reports whether the watch brings what changes.
func (s *watchState) holds() bool {
	return s.open != nil && !s.initial && (s.proven || time.Since(s.opened) >= settled)
}

func (s *watchState) age() time.Duration {
	if s.holds() {
		return 0
	}
	return time.Since(s.current)
}

// beginWatch begins a watch, in its time.
func (c *collection) beginWatch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if err := c.pace.Wait(ctx); err != nil {
		return nil, err
	}
	w, err := c.from.WatchFuncWithContext(ctx, o)
	if err != nil {
		return nil, err
	}
	opened := &openWatch{w, c}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch.opens(opened, o.SendInitialEvents != nil)
	c.stream = stream{}
	return opened, nil
}

// openWatch notes when the watch ends: a reflector stops each of its watches,
// also those that the API server ended.
type openWatch struct {
	watch.Interface
	of *collection
}

// Stop ends the watch.
func (w *openWatch) Stop() {
	w.Interface.Stop()
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.of.watch.ends(w)
}

// UpdateResourceVersion is called after each event that was taken, bookmarks too.
func (c *collection) UpdateResourceVersion(string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch.delivers()
}

// age is for how long the collection may not have been what the API server has;
// 0 while it is watched.
func (c *collection) age() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.watch.age()
}
