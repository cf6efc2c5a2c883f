package match

import (
	"runtime"
	"sync"
	"weak"
)

// shared has every regular expression that some index holds, so that an index
// compiles and holds no second copy: there is an index for each listener of a
// route, and a new one after every change. shared itself keeps none alive.
var shared = patterns{held: map[string]weak.Pointer[program]{}}

type patterns struct {
	mu   sync.Mutex
	held map[string]weak.Pointer[program]
}

// compile returns the regular expression that is held, or compiles it.
func (s *patterns) compile(pattern string) (*program, error) {
	if re := s.get(pattern); re != nil {
		return re, nil
	}
	re, err := compileRegex(pattern)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.held[pattern].Value(); other != nil {
		return other, nil
	}
	s.held[pattern] = weak.Make(re)
	runtime.AddCleanup(re, s.forget, pattern)
	return re, nil
}

func (s *patterns) get(pattern string) *program {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[pattern].Value()
}

// forget removes a regular expression that no index holds any more, unless it
// was compiled anew.
func (s *patterns) forget(pattern string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[pattern].Value() == nil {
		delete(s.held, pattern)
	}
}
