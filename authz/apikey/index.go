package apikey

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"sync"
)

// Index knows which Secrets hold a key, for all tables of a namespace that have
// more than one Secret. It holds the Secrets of these tables, and of one Secret
// several states while a table has them. The zero Index is empty.
type Index struct {
	mu      sync.RWMutex
	holders map[[sha256.Size]byte]*holders
	shared  map[*holders]bool // those of several Secrets
	tables  map[*Secret]int   // how many tables have a Secret
}

// holders are the Secrets that hold some keys, each of them all of these keys.
type holders struct {
	secrets []*Secret // by number
	keys    int
}

func byNumber(a, b *Secret) int { return cmp.Compare(a.number, b.number) }

func has(secrets []*Secret, s *Secret) bool {
	_, ok := slices.BinarySearchFunc(secrets, s, byNumber)
	return ok
}

// retain enters the Secrets of a new table.
func (x *Index) retain(secrets []*Secret) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tables == nil {
		x.holders, x.shared, x.tables = map[[sha256.Size]byte]*holders{}, map[*holders]bool{}, map[*Secret]int{}
	}
	for _, s := range secrets {
		if x.tables[s]++; x.tables[s] == 1 {
			x.move(s, func(from []*Secret) []*Secret {
				at, _ := slices.BinarySearchFunc(from, s, byNumber)
				return slices.Insert(slices.Clone(from), at, s)
			})
		}
	}
}

// release removes the Secrets of a table that is gone.
func (x *Index) release(secrets []*Secret) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range secrets {
		if x.tables[s]--; x.tables[s] == 0 {
			delete(x.tables, s)
			x.move(s, func(from []*Secret) []*Secret {
				return slices.DeleteFunc(slices.Clone(from), func(other *Secret) bool { return other == s })
			})
		}
	}
}

// move gives each key of a Secret other holders: those that change makes of the
// holders that it had.
func (x *Index) move(s *Secret, change func([]*Secret) []*Secret) {
	moved := map[*holders]*holders{}
	for i := range s.keys {
		digest := s.keys[i].digest
		from := x.holders[digest]
		to := moved[from]
		if to == nil {
			var had []*Secret
			if from != nil {
				had = from.secrets
			}
			to = &holders{secrets: change(had)}
			moved[from] = to
		}
		x.put(digest, from, to)
	}
}

func (x *Index) put(digest [sha256.Size]byte, from, to *holders) {
	if from != nil {
		if from.keys--; from.keys == 0 {
			delete(x.shared, from)
		}
	}
	if len(to.secrets) == 0 {
		delete(x.holders, digest)
		return
	}
	if to.keys++; len(to.secrets) > 1 {
		x.shared[to] = true
	}
	x.holders[digest] = to
}
