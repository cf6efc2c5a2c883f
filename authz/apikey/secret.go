package apikey

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/agentauth-dev/agentauth/authz"
)

// MaxKeys is the largest number of entries of one Secret.
const MaxKeys = 20_000

// Secret is a Secret of API keys. It never changes, but for when keys were used.
type Secret struct {
	number   uint64 // no other Secret has it, nor the same Secret in another state
	ref      string // "Secret namespace/name"
	identity authz.Identity
	ends     map[string]time.Time // of entries that have an end of their own
	keys     []key                // by entry
	byDigest []uint16             // the indexes of keys (MaxKeys at most), in order of their digests
	twins    int                  // of keys: those that are nobody's
	problems authz.Problems
}

// key is an entry of a Secret. If twice, another entry holds the same key, which
// is then nobody's.
type key struct {
	digest [sha256.Size]byte
	entry  string
	twice  bool
	used   atomic.Uint32 // the Unix time; 0: never. It takes no space: twice is aligned
}

var secrets atomic.Uint64

// Parse reads a Secret whose data went through [Digest]. An entry that is no
// digest is a warning and left out. With a malformed or unknown annotation, an
// unknown label of agentauth's, or more than MaxKeys entries, the whole Secret is
// left out, and that is a problem.
func Parse(namespace, name string, labels, annotations map[string]string, data map[string][]byte) *Secret {
	s := &Secret{number: secrets.Add(1), ref: "Secret " + namespace + "/" + name}
	s.problems.Ref = s.ref
	m, refused := readMeta(name, labels, annotations, data)
	for _, message := range refused {
		s.problems.Add(s.problem("", message+"; the Secret is not used"))
	}
	if refused != nil {
		return s
	}
	s.identity, s.ends = m.identity, m.ends
	s.keys = make([]key, 0, len(data))
	known := make(map[[sha256.Size]byte]int, len(data))
	for _, entry := range slices.Sorted(maps.Keys(data)) {
		s.read(entry, data[entry], known)
	}
	s.byDigest = make([]uint16, len(s.keys))
	for i := range s.byDigest {
		s.byDigest[i] = uint16(i)
	}
	slices.SortFunc(s.byDigest, func(a, b uint16) int { return bytes.Compare(s.keys[a].digest[:], s.keys[b].digest[:]) })
	for _, message := range m.odd {
		s.problems.Add(authz.Problem{Severity: authz.Warning, Lint: authz.OddAnnotation, Ref: s.ref, Message: message})
	}
	return s
}

// Unusable says why no key of a Secret is used; "" if its keys are.
func Unusable(name string, labels, annotations map[string]string, data map[string][]byte) string {
	if _, refused := readMeta(name, labels, annotations, data); refused != nil {
		return refused[0]
	}
	return ""
}

func (s *Secret) read(entry string, value []byte, known map[[sha256.Size]byte]int) {
	digest, why := ParseDigest(value)
	if why != "" {
		s.problems.Add(authz.Problem{Severity: authz.Warning, Lint: authz.NotAKey, Ref: s.ref, Key: entry, Message: why})
		return
	}
	if twin, ok := known[digest]; ok {
		if !s.keys[twin].twice {
			s.keys[twin].twice = true
			s.twins++
		}
		s.problems.Add(s.problem(entry, "the same key is in entry "+s.keys[twin].entry+"; it is refused in both"))
		return
	}
	known[digest] = len(s.keys)
	s.keys = append(s.keys, key{digest: digest, entry: entry})
}

func (s *Secret) problem(entry, message string) authz.Problem {
	return authz.Problem{Severity: authz.Unresolved, Ref: s.ref, Key: entry, Message: message}
}

// find returns the identity of a key's caller, and which key it is, if the key is this
// Secret's.
func (s *Secret) find(digest [sha256.Size]byte) (id authz.Identity, of Holder, ok bool) {
	at, ok := slices.BinarySearchFunc(s.byDigest, digest, func(i uint16, of [sha256.Size]byte) int { return bytes.Compare(s.keys[i].digest[:], of[:]) })
	if !ok {
		return id, of, false
	}
	i := s.byDigest[at]
	if s.keys[i].twice {
		return id, of, false
	}
	id = s.identity
	id.CredentialID = s.keys[i].entry
	id.ExpiresAt = s.end(s.keys[i].entry)
	return id, Holder{s, i}, true
}

// end is the earlier of the ends of an entry and of its Secret; zero if it has
// none.
func (s *Secret) end(entry string) time.Time {
	own, all := s.ends[entry], s.identity.ExpiresAt
	if own.IsZero() || !all.IsZero() && all.Before(own) {
		return all
	}
	return own
}

// usable is how many keys of the Secret belong to one entry.
func (s *Secret) usable() int { return len(s.keys) - s.twins }

// ended adds the keys that have ended to the problems, and returns the next end
// that is to come.
func (s *Secret) ended(now time.Time, to *authz.Problems) (count int, next time.Time) {
	for i := range s.keys {
		end := s.end(s.keys[i].entry)
		switch {
		case end.IsZero():
		case now.Before(end):
			next = earlier(next, end)
		default:
			count++
			to.Add(authz.Problem{Severity: authz.Warning, Lint: authz.KeyEnded, Ref: s.ref, Key: s.keys[i].entry,
				Message: fmt.Sprintf("the key ended at %s; remove the entry, or give it a later end", end.UTC().Format(time.RFC3339))})
		}
	}
	return count, next
}

// earlier is the earlier of two times; the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
