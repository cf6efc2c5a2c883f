package work

import (
	"strings"
	"time"
)

// Stats are what a Scheduler does now, and did.
type Stats struct {
	// Slots is how many threads run at once at most, Running how many do, and Waiting
	// how many tasks wait.
	Slots, Running, Waiting int
	// Classes are the tasks by their class: their kind without the numbers at its end,
	// as argon2id of argon2id-17-4.
	Classes map[string]Class
}

// Class is what became of the tasks of a class.
type Class struct {
	// Run is how many ended, Refused how many were ErrOverloaded.
	Run, Refused uint64
	// Busy is for how long they ran, and Waited how long they waited for it, in sum.
	Busy, Waited time.Duration
}

// Stats are those of now. Those of a nil Scheduler are zero.
func (s *Scheduler) Stats() Stats {
	if s == nil {
		return Stats{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Stats{Slots: s.options.Slots, Running: s.all.running, Waiting: s.all.waiting, Classes: make(map[string]Class, len(s.classes))}
	for name, c := range s.classes {
		out.Classes[name] = *c
	}
	return out
}

// class is that of a kind.
func (s *Scheduler) class(kind string) *Class {
	for i := strings.LastIndexByte(kind, '-'); i >= 0 && strings.Trim(kind[i+1:], "0123456789") == ""; i = strings.LastIndexByte(kind, '-') {
		kind = kind[:i]
	}
	c := s.classes[kind]
	if c == nil {
		c = &Class{}
		s.classes[kind] = c
	}
	return c
}

// turnedAway counts a task that was not admitted.
func (s *Scheduler) turnedAway(kind string) {
	if s == nil || s.means == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.class(kind).Refused++
}
