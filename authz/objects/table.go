package objects

import (
	"slices"
	"sync"
	"weak"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/apikey"
	"github.com/agentauth-dev/agentauth/authz/keyed"
)

// Table is the API keys of some Secrets. Selectors that select the same Secrets
// have one Table.
type Table struct {
	once     sync.Once
	selected []*stored
	parsed   []*Parsed[*apikey.Secret]
	states   []*lastState
	Keys     *apikey.Table
	// Problems are those of the Secrets, the most that are told.
	Problems []authz.Problem
}

// Selection is what a selector selects.
type Selection struct {
	*Table
	namespace string
	labels    map[string]v1alpha1.LabelValue
	version   uint64 // of the labels of the namespace
}

// Select returns what a selector selects in a namespace.
func (v *View) Select(namespace string, labels map[string]v1alpha1.LabelValue) Selection {
	l := v.labelled(namespace)
	selected := l.find(labels)
	parts := make([][]byte, 0, len(selected)+1)
	for _, s := range selected {
		of := s.print()
		parts = append(parts, of[:])
	}
	t := v.store.tables.get(keyed.Of("table", append(parts, []byte(namespace))...))
	t.once.Do(func() { t.fill(v, namespace, selected) })
	return Selection{t, namespace, labels, l.at()}
}

// Still says whether a selector selects what it selected.
func (v *View) Still(s Selection) bool {
	l := v.labelled(s.namespace)
	return l.at() == s.version || slices.EqualFunc(l.find(s.labels), s.selected, (*stored).same)
}

func (t *Table) fill(v *View, namespace string, selected []*stored) {
	t.selected = selected
	secrets := make([]*apikey.Secret, len(selected))
	for i, s := range selected {
		p := v.secret(s)
		last := v.store.lastStates.get(Key{Secret, s.namespace, s.name})
		t.parsed, t.states = append(t.parsed, p), append(t.states, last)
		last.next(p.Value)
		if secrets[i] = p.Value; p.Err != nil {
			t.Problems = []authz.Problem{{Severity: authz.Unresolved, Ref: Key{Secret, s.namespace, s.name}.String(), Message: p.Err.Error()}}
			return // without keys
		}
	}
	t.Keys = v.store.indexes.get(namespace).Table(secrets)
	t.Problems = t.Keys.Problems()
}

// lastState is a Secret of API keys as it was read last.
type lastState struct {
	mu     sync.Mutex
	secret weak.Pointer[apikey.Secret]
}

// next has a Secret know when the keys were used that it had before.
func (l *lastState) next(s *apikey.Secret) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before := l.secret.Value(); before != nil && s != nil && before != s {
		s.TakeOver(before)
	}
	l.secret = weak.Make(s)
}

// Len is how many Secrets are selected.
func (t *Table) Len() int { return len(t.selected) }

// Names are the Secrets of the table.
func (t *Table) Names() []Key {
	out := make([]Key, len(t.selected))
	for i, s := range t.selected {
		out[i] = Key{Secret, s.namespace, s.name}
	}
	return out
}

func (v *View) labelled(in string) *labelled {
	if n := v.secrets.namespaces[in]; n != nil {
		return n.keys
	}
	return nil
}

func (l *labelled) at() uint64 {
	if l == nil {
		return 0
	}
	return l.version
}
