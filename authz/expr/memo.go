package expr

import (
	"sync"
	"weak"
)

// Memo compiles equal expressions once, for as long as somebody holds the
// program: it keeps none alive itself. The zero value is ready for use, also
// by several goroutines.
type Memo struct {
	mu       sync.Mutex
	programs map[memoKey]weak.Pointer[Program]
}

type memoKey struct {
	kind Kind
	src  string
}

// NewMemo makes an empty memo.
func NewMemo() *Memo { return &Memo{} }

// Compile is [Compile], or the program it made before.
func (m *Memo) Compile(kind Kind, src string) (*Program, error) {
	key := memoKey{kind, src}
	if p := m.get(key); p != nil {
		return p, nil
	}
	p, err := Compile(kind, src)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if other := m.programs[key].Value(); other != nil {
		return other, nil
	}
	if m.programs == nil {
		m.programs = map[memoKey]weak.Pointer[Program]{}
	}
	m.programs[key] = weak.Make(p)
	return p, nil
}

func (m *Memo) get(key memoKey) *Program {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.programs[key].Value()
}

// Sweep forgets the expressions whose programs nobody holds any more.
func (m *Memo) Sweep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, p := range m.programs {
		if p.Value() == nil {
			delete(m.programs, key)
		}
	}
}
