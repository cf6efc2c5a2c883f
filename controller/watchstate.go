package controller

import "time"

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
