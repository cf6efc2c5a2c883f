package apikey

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// Key is an API key without the key.
type Key struct {
	// Identity is that of the key's callers; its Method is empty.
	Identity authz.Identity
	// Ambiguous says that two entries hold this key, so that it is nobody's.
	Ambiguous bool
}

// Secret is a Secret of API keys.
type Secret struct {
	ref      string // "Secret namespace/name"
	keys     map[[sha256.Size]byte]*Key
	problems []authz.Problem
}

// Parse reads a Secret whose data went through [Digest]. An entry that is no
// digest is a problem and left out; with a malformed annotation the whole Secret
// is.
func Parse(namespace, name string, annotations map[string]string, data map[string][]byte) *Secret {
	s := &Secret{ref: "Secret " + namespace + "/" + name, keys: make(map[[sha256.Size]byte]*Key, len(data))}
	identity, problem := identityOf(name, annotations)
	if problem != "" {
		s.problems = append(s.problems, s.problem("", problem+"; the Secret is not used"))
		return s
	}
	for _, id := range slices.Sorted(maps.Keys(data)) {
		sum, problem := ParseDigest(data[id])
		if problem != "" {
			s.problems = append(s.problems, s.problem(id, problem))
			continue
		}
		if twin := s.keys[sum]; twin != nil {
			twin.Ambiguous = true
			s.problems = append(s.problems, s.problem(id, "the same key is in entry "+twin.Identity.CredentialID+"; it is refused in both"))
			continue
		}
		key := &Key{Identity: identity}
		key.Identity.CredentialID = id
		s.keys[sum] = key
	}
	return s
}

func (s *Secret) problem(key, message string) authz.Problem {
	return authz.Problem{Severity: authz.Unresolved, Ref: s.ref, Key: key, Message: message}
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

// Table finds keys by their digests.
type Table map[[sha256.Size]byte]*Key

// NewTable joins Secrets, the first named first. A key of two Secrets belongs to
// nobody, and is a problem.
func NewTable(secrets []*Secret) (Table, []authz.Problem) {
	n := 0
	for _, s := range secrets {
		n += len(s.keys)
	}
	t, owner := make(Table, n), make(map[[sha256.Size]byte]*Secret, n)
	var problems []authz.Problem
	for _, s := range secrets {
		problems = append(problems, s.problems...)
		first := len(problems)
		for sum, key := range s.keys {
			other := owner[sum]
			if other == nil {
				owner[sum], t[sum] = s, key
				continue
			}
			t[sum] = &Key{Ambiguous: true}
			problems = append(problems, s.problem(key.Identity.CredentialID,
				"the same key is in "+other.ref+"; it is refused in both: a key belongs to one owner"))
		}
		slices.SortFunc(problems[first:], func(a, b authz.Problem) int { return strings.Compare(a.Key, b.Key) })
	}
	return t, problems
}

// Find returns the key of a credential; nil if there is none, or if it is
// ambiguous. The time that it takes depends neither on how many keys there are
// nor on how much of a key was guessed: the digest is of the whole credential,
// and a caller cannot steer it towards the digest of a key.
func (t Table) Find(credential string) *Key {
	key := t[sha256.Sum256([]byte(credential))]
	if key == nil || key.Ambiguous {
		return nil
	}
	return key
}
