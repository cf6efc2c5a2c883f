package match

import (
	"regexp"
	"runtime"
	"sync"
	"weak"
)

// shared has the regular expressions that somebody holds. There is an index for
// each listener of a route, and a new one after every change; without it each
// would compile, and hold, all of them again. It keeps none alive itself.
var shared = patterns{held: map[string]weak.Pointer[regexp.Regexp]{}}

type patterns struct {
	mu   sync.Mutex
	held map[string]weak.Pointer[regexp.Regexp]
}

// compile is compileRegex, or what it made before.
func (s *patterns) compile(pattern string) (*regexp.Regexp, error) {
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

func (s *patterns) get(pattern string) *regexp.Regexp {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[pattern].Value()
}

// forget leaves out what nobody holds any more, unless it was compiled anew.
func (s *patterns) forget(pattern string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[pattern].Value() == nil {
		delete(s.held, pattern)
	}
}
