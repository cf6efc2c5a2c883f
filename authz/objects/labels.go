package objects

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

// labelled are the Secrets of API keys of a namespace, by each of their labels. It
// never changes.
type labelled struct {
	version uint64              // no other one has it; zero is that of none
	byLabel map[label][]*stored // by name
}

type label struct{ key, value string }

var versions atomic.Uint64

// next is what is there without some Secrets and with others.
func (l *labelled) next(c *change) *labelled {
	next := &labelled{version: versions.Add(1), byLabel: map[label][]*stored{}}
	if l != nil {
		next.byLabel = maps.Clone(l.byLabel)
	}
	for of, c := range byLabel(c) {
		if list := merged(next.byLabel[of], c); len(list) > 0 {
			next.byLabel[of] = list
		} else {
			delete(next.byLabel, of)
		}
	}
	return next
}

// byLabel is what changes in the list of each label.
func byLabel(all *change) map[label]*change {
	out := map[label]*change{}
	for _, s := range all.gone {
		for k, v := range s.labels {
			c := changeOf(out, label{k, v})
			c.gone = append(c.gone, s)
		}
	}
	for _, s := range all.put {
		for k, v := range s.labels {
			c := changeOf(out, label{k, v})
			c.put = append(c.put, s)
		}
	}
	return out
}

func byName(a, b *stored) int { return strings.Compare(a.name, b.name) }

// merged is a new list, by name.
func merged(list []*stored, c *change) []*stored {
	gone := make(map[*stored]bool, len(c.gone))
	for _, s := range c.gone {
		gone[s] = true
	}
	next := make([]*stored, 0, len(list)+len(c.put))
	for _, s := range list {
		if !gone[s] {
			next = append(next, s)
		}
	}
	const few = 16 // a list is sorted once for many
	if len(c.put) > few {
		next = append(next, c.put...)
		slices.SortFunc(next, byName)
		return next
	}
	for _, s := range c.put {
		at, _ := slices.BinarySearchFunc(next, s, byName)
		next = slices.Insert(next, at, s)
	}
	return next
}

// find returns, by name, the Secrets that have all labels.
func (l *labelled) find(labels map[string]v1alpha1.LabelValue) []*stored {
	if l == nil {
		return nil
	}
	var smallest []*stored
	found := false
	for k, v := range labels {
		if list := l.byLabel[label{k, string(v)}]; !found || len(list) < len(smallest) {
			smallest, found = list, true
		}
	}
	if len(labels) == 1 {
		return smallest
	}
	var out []*stored
	for _, s := range smallest {
		if s.has(labels) {
			out = append(out, s)
		}
	}
	return out
}

func (s *stored) has(labels map[string]v1alpha1.LabelValue) bool {
	for k, v := range labels {
		if got, ok := s.labels[k]; !ok || got != string(v) {
			return false
		}
	}
	return true
}
