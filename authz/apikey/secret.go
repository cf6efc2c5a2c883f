package apikey

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// MaxKeys is the largest number of entries of one Secret.
const MaxKeys = 20_000

// Secret is a Secret of API keys. It never changes.
type Secret struct {
	number   uint64 // no other Secret has it, nor the same Secret in another state
	ref      string // "Secret namespace/name"
	identity authz.Identity
	keys     []key // by entry
	byDigest map[[sha256.Size]byte]int
	problems authz.Problems
}

// key is an entry of a Secret. If twice, another entry holds the same key, which
// is then nobody's.
type key struct {
	digest [sha256.Size]byte
	entry  string
	twice  bool
}

var secrets atomic.Uint64

// Parse reads a Secret whose data went through [Digest]. An entry that is no
// digest is a problem and left out; with a malformed annotation, or more than
// MaxKeys entries, the whole Secret is.
func Parse(namespace, name string, annotations map[string]string, data map[string][]byte) *Secret {
	s := &Secret{number: secrets.Add(1), ref: "Secret " + namespace + "/" + name}
	s.problems.Ref = s.ref
	var problem string
	if s.identity, problem = identityOf(name, annotations); problem == "" && len(data) > MaxKeys {
		problem = fmt.Sprintf("expected at most %d keys in a Secret, got %d; spread them over several Secrets", MaxKeys, len(data))
	}
	if problem != "" {
		s.problems.Add(s.problem("", problem+"; the Secret is not used"))
		return s
	}
	s.keys, s.byDigest = make([]key, 0, len(data)), make(map[[sha256.Size]byte]int, len(data))
	for _, entry := range slices.Sorted(maps.Keys(data)) {
		s.read(entry, data[entry])
	}
	return s
}

func (s *Secret) read(entry string, value []byte) {
	digest, problem := ParseDigest(value)
	if twin, ok := s.byDigest[digest]; ok && problem == "" {
		s.keys[twin].twice = true
		problem = "the same key is in entry " + s.keys[twin].entry + "; it is refused in both"
	}
	if problem != "" {
		s.problems.Add(s.problem(entry, problem))
		return
	}
	s.byDigest[digest] = len(s.keys)
	s.keys = append(s.keys, key{digest: digest, entry: entry})
}

func (s *Secret) problem(entry, message string) authz.Problem {
	return authz.Problem{Severity: authz.Unresolved, Ref: s.ref, Key: entry, Message: message}
}

// find returns the identity of a key's caller, if the key is this Secret's.
func (s *Secret) find(digest [sha256.Size]byte) (id authz.Identity, ok bool) {
	i, ok := s.byDigest[digest]
	if !ok || s.keys[i].twice {
		return id, false
	}
	id = s.identity
	id.CredentialID = s.keys[i].entry
	return id, true
}

// identityOf is the identity that the annotations of a Secret give its keys.
func identityOf(name string, annotations map[string]string) (id authz.Identity, problem string) {
	id.Subject = name
	id.Claims = map[string]any{}
	for annotation, v := range annotations {
		claim, ok := strings.CutPrefix(annotation, v1alpha1.AnnotationClaimPrefix)
		if !ok {
			continue
		}
		id.Claims[claim] = v
		if claim == "sub" {
			id.Subject = v
		}
	}
	if v, ok := annotations[v1alpha1.AnnotationScopes]; ok {
		id.Scopes = strings.Split(v, " ")
		for _, s := range id.Scopes {
			if !isScope(s) {
				return id, "annotation " + v1alpha1.AnnotationScopes + ": expected scopes separated by one space (RFC 6749 3.3)"
			}
		}
	}
	if v, ok := annotations[v1alpha1.AnnotationExpiresAt]; ok {
		t, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return id, "annotation " + v1alpha1.AnnotationExpiresAt + ": expected a time as in 2027-01-31T00:00:00Z (RFC 3339)"
		}
		id.ExpiresAt = t
	}
	return id, ""
}

// isScope is scope-token of RFC 6749 3.3.
func isScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '\\' || c > '~' {
			return false
		}
	}
	return s != ""
}
