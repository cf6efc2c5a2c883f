package apikey

import (
	"strings"
	"time"
)

// Holder is the entry of a Secret that holds a key. The zero Holder is none.
type Holder struct {
	secret *Secret
	at     uint16
}

// String is the Secret, as in "Secret shop/robot".
func (h Holder) String() string {
	if h.secret == nil {
		return ""
	}
	return h.secret.ref
}

// Used says that the key came at a time. Of all that come in one second the first
// writes: whoever checks keys at the same time does not wait for the others.
func (h Holder) Used(at time.Time) {
	if h.secret == nil {
		return
	}
	used, now := &h.secret.keys[h.at].used, uint32(max(0, at.Unix())) // until 2106
	if used.Load() < now {
		used.Store(now)
	}
}

// TakeOver has a Secret know when keys were used of the state that it had before. A
// Secret changes when a key of it is rotated, and whether the old one is still used is
// to be seen then.
func (s *Secret) TakeOver(before *Secret) {
	for i := range before.keys {
		old := &before.keys[i]
		if used := old.used.Load(); used > 0 {
			if _, h, ok := s.find(old.digest); ok {
				h.Used(time.Unix(int64(used), 0))
			}
		}
	}
}

// State is what is known of a key beside the key.
type State struct {
	// Secret is namespace/name, and Entry the name of the key there.
	Secret, Entry string
	// End is when the key ends, Used when it last came, to the second; zero times: it
	// does not, and never.
	End, Used time.Time
}

// Namespace is that of the Secret.
func (s State) Namespace() string {
	namespace, _, _ := strings.Cut(s.Secret, "/")
	return namespace
}

// States visits the keys of tables that have an end or came at least once, each once,
// and in no order. Keys that are nobody's are left out.
func States(tables []*Table, visit func(State)) {
	seen := map[*Secret]bool{}
	for _, t := range tables {
		if t == nil {
			continue
		}
		for _, s := range t.secrets {
			if !seen[s] {
				seen[s] = true
				s.states(visit)
			}
		}
	}
}

func (s *Secret) states(visit func(State)) {
	name := strings.TrimPrefix(s.ref, "Secret ")
	ends := len(s.ends) > 0 || !s.identity.ExpiresAt.IsZero()
	for i := range s.keys {
		k := &s.keys[i]
		state := State{Secret: name, Entry: k.entry}
		if used := k.used.Load(); used > 0 {
			state.Used = time.Unix(int64(used), 0)
		}
		if ends {
			state.End = s.end(k.entry)
		}
		if !k.twice && !(state.End.IsZero() && state.Used.IsZero()) {
			visit(state)
		}
	}
}
