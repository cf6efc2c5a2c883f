package controller

import (
	"slices"
	"sync"

	toolscache "k8s.io/client-go/tools/cache"
)

// items is a store with an order that stays: what comes is last, and what goes gives
// its place to the last one. All that is there is compiled after each change, and what
// is where it was need not be looked up.
type items struct {
	mu     sync.RWMutex
	places map[string]int // in the list, by namespace and name
	list   []any
}

func newItems() *items { return &items{places: map[string]int{}} }

// Add stores an item.
func (s *items) Add(o any) error { return s.Update(o) }

// Update stores an item.
func (s *items) Update(o any) error {
	key, err := toolscache.MetaNamespaceKeyFunc(o)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, o)
	return nil
}

func (s *items) put(key string, o any) {
	if at, there := s.places[key]; there {
		s.list[at] = o
		return
	}
	s.places[key], s.list = len(s.list), append(s.list, o)
}

// Delete removes the item of a name.
func (s *items) Delete(o any) error {
	key, err := toolscache.MetaNamespaceKeyFunc(o)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remove(key)
}

func (s *items) remove(key string) error {
	at, there := s.places[key]
	if !there {
		return nil
	}
	n := len(s.list) - 1
	if at < n {
		last, err := toolscache.MetaNamespaceKeyFunc(s.list[n])
		if err != nil {
			return err
		}
		s.list[at], s.places[last] = s.list[n], at
	}
	s.list[n], s.list = nil, s.list[:n]
	delete(s.places, key)
	return nil
}

// Replace stores some items in place of all.
func (s *items) Replace(list []any, _ string) error {
	there := make(map[string]bool, len(list))
	keys := make([]string, len(list))
	for i, o := range list {
		key, err := toolscache.MetaNamespaceKeyFunc(o)
		if err != nil {
			return err
		}
		keys[i], there[key] = key, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.places {
		if !there[key] {
			if err := s.remove(key); err != nil {
				return err
			}
		}
	}
	for i, o := range list {
		s.put(keys[i], o)
	}
	return nil
}

// List has all items.
func (s *items) List() []any {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.list)
}

// ListKeys has the keys of all items.
func (s *items) ListKeys() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]string, 0, len(s.places))
	for key := range s.places {
		out = append(out, key)
	}
	return out
}

// Get returns the item of a name.
func (s *items) Get(o any) (any, bool, error) {
	key, err := toolscache.MetaNamespaceKeyFunc(o)
	if err != nil {
		return nil, false, err
	}
	return s.GetByKey(key)
}

// GetByKey returns the item of a key.
func (s *items) GetByKey(key string) (any, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at, there := s.places[key]
	if !there {
		return nil, false, nil
	}
	return s.list[at], true, nil
}
