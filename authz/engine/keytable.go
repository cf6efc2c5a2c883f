package engine

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
)

// keyTable is the API keys that one selector selects.
type keyTable struct {
	namespace string
	labels    map[string]v1alpha1.LabelValue
	selected  []fingerprint
	keys      authn.Keys
	problems  []authz.Problem
}

// keySecret is one Secret of API keys.
type keySecret struct {
	keys     map[[32]byte]*authn.Key
	problems []authz.Problem
}

// table returns the keys of a selector: the previous table if it selects the
// same Secrets, else a new one of Secrets that are parsed only if they changed.
func (c *compiler) table(namespace string, labels map[string]v1alpha1.LabelValue) *keyTable {
	id := namespace
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		id += "\x00" + k + "=" + string(labels[k])
	}
	if t := c.next.tables[id]; t != nil {
		return t
	}
	selected := c.objects.selectKeys(namespace, labels)
	t := &keyTable{namespace: namespace, labels: labels}
	for _, o := range selected {
		t.selected = append(t.selected, c.objects.printOf(o))
		c.keySecret(o)
	}
	if old := c.prev.tables[id]; old != nil && slices.Equal(old.selected, t.selected) {
		t = old
	} else {
		c.fill(t, selected)
	}
	c.next.tables[id] = t
	return t
}

func (c *compiler) fill(t *keyTable, selected []*Object) {
	n := 0
	for _, o := range selected {
		n += len(o.Data)
	}
	t.keys = make(authn.Keys, n)
	owner := make(map[[32]byte]*Object, n)
	for _, o := range selected {
		s := c.keySecret(o)
		t.problems = append(t.problems, s.problems...)
		for sum, key := range s.keys {
			other := owner[sum]
			if other == nil {
				owner[sum], t.keys[sum] = o, key
				continue
			}
			t.keys[sum] = &authn.Key{Ambiguous: true}
			t.problems = append(t.problems, keyProblem(o, key.Identity.CredentialID,
				"the same key is in Secret "+other.Namespace+"/"+other.Name+"; it is refused in both: a key belongs to one owner"))
		}
	}
}

// keySecret parses a Secret, or takes over what it was parsed to before.
func (c *compiler) keySecret(o *Object) *keySecret {
	fp := c.objects.printOf(o)
	s := c.next.secrets[fp]
	if s == nil {
		if s = c.prev.secrets[fp]; s == nil {
			s = parseKeySecret(o)
		}
		c.next.secrets[fp] = s
	}
	return s
}

func parseKeySecret(o *Object) *keySecret {
	s := &keySecret{keys: make(map[[32]byte]*authn.Key, len(o.Data))}
	identity, problem := keyIdentity(o)
	if problem != "" {
		s.problems = append(s.problems, keyProblem(o, "", problem+"; the Secret is not used"))
		return s
	}
	for _, id := range slices.Sorted(maps.Keys(o.Data)) {
		sum, problem := ParseDigest(o.Data[id])
		if problem != "" {
			s.problems = append(s.problems, keyProblem(o, id, problem))
			continue
		}
		if twin := s.keys[sum]; twin != nil {
			twin.Ambiguous = true
			s.problems = append(s.problems, keyProblem(o, id, "the same key is in entry "+twin.Identity.CredentialID+"; it is refused in both"))
			continue
		}
		key := &authn.Key{Identity: identity}
		key.Identity.CredentialID = id
		s.keys[sum] = key
	}
	return s
}

// keyIdentity is what the annotations of a Secret say of its keys.
func keyIdentity(o *Object) (id authz.Identity, problem string) {
	id.Subject = o.Name
	id.Claims = map[string]any{}
	for name, v := range o.Annotations {
		claim, ok := strings.CutPrefix(name, v1alpha1.AnnotationClaimPrefix)
		if !ok {
			continue
		}
		id.Claims[claim] = v
		if claim == "sub" {
			id.Subject = v
		}
	}
	if v, ok := o.Annotations[v1alpha1.AnnotationScopes]; ok {
		id.Scopes = strings.Split(v, " ")
		for _, s := range id.Scopes {
			if !isScope(s) {
				return id, "annotation " + v1alpha1.AnnotationScopes + ": expected scopes separated by one space (RFC 6749 3.3)"
			}
		}
	}
	if v, ok := o.Annotations[v1alpha1.AnnotationExpiresAt]; ok {
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

func keyProblem(o *Object, key, message string) authz.Problem {
	return authz.Problem{Severity: authz.Unresolved, Ref: "Secret " + o.Namespace + "/" + o.Name, Key: key, Message: message}
}
