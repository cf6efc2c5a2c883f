package apikey

import (
	"crypto/sha256"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

// Table finds keys in the Secrets of a selector. It refers to the Secrets and
// copies nothing of them. A nil Table has no keys.
type Table struct {
	secrets []*Secret // by number
	index   *Index    // nil unless there are several Secrets
}

// Table makes a table of Secrets of the namespace that the index is for.
func (x *Index) Table(secrets []*Secret) *Table {
	t := &Table{secrets: slices.SortedFunc(slices.Values(secrets), byNumber)}
	if len(secrets) > 1 {
		t.index = x
		x.retain(t.secrets)
		runtime.AddCleanup(t, x.release, t.secrets)
	}
	return t
}

// Find returns the identity of who has a key, without its method, and what holds the
// key. A key of two Secrets of the table, or of two entries, is
// nobody's.
//
// The time that Find takes depends neither on how many keys there are nor on how
// much of a key was guessed: the digest is of the whole credential, and a caller
// cannot steer it towards the digest of a key.
func (t *Table) Find(credential string) (id authz.Identity, of Holder, ok bool) {
	if t == nil || len(t.secrets) == 0 {
		return id, of, false
	}
	digest := sha256.Sum256([]byte(credential))
	if t.index == nil {
		return t.secrets[0].find(digest)
	}
	t.index.mu.RLock()
	one, several := t.holding(t.index.holders[digest])
	t.index.mu.RUnlock()
	if one == nil || several {
		return id, of, false
	}
	return one.find(digest)
}

// Found is how many keys a table has, of how many Secrets.
type Found struct{ Keys, Secrets, Ended int }

// String is as in "3 keys in 2 Secrets, 1 of them ended".
func (f Found) String() string {
	s := count(f.Keys, "key") + " in " + count(f.Secrets, "Secret")
	if f.Ended > 0 {
		s += fmt.Sprintf(", %d of them ended", f.Ended)
	}
	return s
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// Found counts the keys that are somebody's.
func (t *Table) Found() (f Found) {
	if t == nil {
		return f
	}
	f.Secrets = len(t.secrets)
	for _, s := range t.secrets {
		f.Keys += s.usable()
	}
	if t.index == nil {
		return f
	}
	t.index.mu.RLock()
	defer t.index.mu.RUnlock()
	for h := range t.index.shared {
		if _, several := t.holding(h); !several {
			continue
		}
		for _, s := range h.secrets {
			if has(t.secrets, s) {
				f.Keys -= h.keys
			}
		}
	}
	f.Keys = max(0, f.Keys)
	return f
}

// Ended are the keys that have ended at a time, as warnings, how many they are, and
// the next end that is to come; zero if there is none.
func (t *Table) Ended(now time.Time) (warnings []authz.Problem, ended int, next time.Time) {
	if t == nil {
		return nil, 0, next
	}
	all := authz.Problems{}
	var ending []*Secret
	for _, s := range t.secrets {
		if len(s.ends) > 0 || !s.identity.ExpiresAt.IsZero() {
			ending = append(ending, s)
		}
	}
	slices.SortFunc(ending, byName)
	for _, s := range ending {
		n, end := s.ended(now, &all)
		ended, next = ended+n, earlier(next, end)
	}
	return all.All(), ended, next
}

// holding returns a Secret of the table that holds a key, and whether there are
// several.
func (t *Table) holding(h *holders) (one *Secret, several bool) {
	if h == nil {
		return nil, false
	}
	few, many := t.secrets, h.secrets
	if len(many) < len(few) {
		few, many = many, few
	}
	for _, s := range few {
		if !has(many, s) {
			continue
		}
		if one != nil {
			return one, true
		}
		one = s
	}
	return one, false
}

// Problems are those of the Secrets, and the keys that several of them hold, the
// Secret with the first name first.
func (t *Table) Problems() []authz.Problem {
	all := authz.Problems{Most: authz.MaxPolicyProblems}
	disputed := t.disputed()
	for _, s := range slices.SortedFunc(slices.Values(t.secrets), byName) {
		mine := s.problems
		if n := disputed[s]; n > 0 {
			mine = t.dispute(s, n)
		}
		if all.Full(authz.Unresolved) {
			all.Count(mine.Len(), authz.Unresolved)
			continue
		}
		for _, p := range mine.All() {
			all.Add(p)
		}
	}
	return all.All()
}

func byName(a, b *Secret) int { return strings.Compare(a.ref, b.ref) }

// disputed says how many keys of each Secret are in one with an earlier name too.
func (t *Table) disputed() map[*Secret]int {
	if t.index == nil {
		return nil
	}
	t.index.mu.RLock()
	defer t.index.mu.RUnlock()
	out := map[*Secret]int{}
	for h := range t.index.shared {
		if _, several := t.holding(h); !several {
			continue
		}
		first := t.first(h)
		for _, s := range h.secrets {
			if s != first && has(t.secrets, s) {
				out[s] += h.keys
			}
		}
	}
	return out
}

// first is the Secret of the table with the first name that holds a key.
func (t *Table) first(h *holders) (first *Secret) {
	for _, s := range h.secrets {
		if has(t.secrets, s) && (first == nil || byName(s, first) < 0) {
			first = s
		}
	}
	return first
}

// dispute are the problems of a Secret with n disputed keys.
func (t *Table) dispute(s *Secret, n int) authz.Problems {
	mine := s.problems.Clone()
	t.index.mu.RLock()
	defer t.index.mu.RUnlock()
	for i := range s.keys {
		if n == 0 || mine.Full(authz.Unresolved) {
			break
		}
		if first := t.first(t.index.holders[s.keys[i].digest]); first != s {
			mine.Add(s.problem(s.keys[i].entry, "the same key is in "+first.ref+"; it is refused in both: a key belongs to one owner"))
			n--
		}
	}
	if n > 0 {
		mine.Count(n, authz.Unresolved)
	}
	return mine
}
