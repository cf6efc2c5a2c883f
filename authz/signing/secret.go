package signing

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	// maxKeys are the keys of a Secret that are published.
	maxKeys = 8
	// maxEntry is the longest key in bytes.
	maxEntry = 16 << 10
)

// Secret is what the entries of a Secret are.
type Secret struct {
	// Key signs; nil if its entry is unusable.
	Key *Key
	// Published are the public half of Key, and those of the entries that sign
	// nothing.
	Published []Public
	// Unusable says what is wrong with entries.
	Unusable []Unusable
}

// Unusable is an entry that is no key, and why.
type Unusable struct{ Entry, Why string }

// Read reads the entries of a Secret. That of a name signs; others are published
// beside it if their names end in .key or .pub. Nothing else is looked at.
func Read(entries map[string][]byte, name string) (s Secret) {
	s.add(entries, name, func(data []byte) (p Public, err error) {
		if s.Key, err = Parse(data); err == nil {
			p, err = s.Key.Public()
		}
		return p, err
	})
	beside := 0
	for _, other := range slices.Sorted(maps.Keys(entries)) {
		if other == name || !strings.HasSuffix(other, ".key") && !strings.HasSuffix(other, ".pub") {
			continue
		}
		if beside++; beside == maxKeys {
			s.Unusable = append(s.Unusable, Unusable{other, fmt.Sprintf("expected at most %d keys in a Secret: neither this one nor what follows it is published", maxKeys)})
			break
		}
		s.add(entries, other, ParsePublic)
	}
	return s
}

func (s *Secret) add(entries map[string][]byte, name string, parse func([]byte) (Public, error)) {
	data, there := entries[name]
	var why string
	switch {
	case !there:
		why = "no such entry; a private key in PEM is wanted"
	case len(data) > maxEntry:
		why = fmt.Sprintf("expected at most %d bytes, got %d", maxEntry, len(data))
	default:
		p, err := parse(data)
		if err == nil {
			s.Published = append(s.Published, p)
			return
		}
		why = err.Error()
	}
	s.Unusable = append(s.Unusable, Unusable{name, why})
}
