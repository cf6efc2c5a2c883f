package apikey

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
)

// meta is what the labels and annotations of a Secret say of its keys. odd is what
// has no effect.
type meta struct {
	identity authz.Identity
	ends     map[string]time.Time
	odd      []string
}

// readMeta reads the labels and annotations of a Secret. refused says why no key of
// it is used: a name that nobody reads may be the end of a key, misspelt.
func readMeta(name string, labels, annotations map[string]string, data map[string][]byte) (m meta, refused []string) {
	m.identity.Subject, m.identity.Claims = name, map[string]any{}
	if len(data) > MaxKeys {
		refused = append(refused, fmt.Sprintf("expected at most %d keys in a Secret, got %d; spread them over several Secrets", MaxKeys, len(data)))
	}
	refused = append(refused, UnknownNames(labels, annotations)...)
	for _, annotation := range slices.Sorted(maps.Keys(annotations)) {
		if len(refused) >= authz.MaxObjectProblems {
			break
		}
		if why := m.read(annotation, annotations[annotation], data); why != "" {
			refused = append(refused, "annotation "+annotation+": "+why)
		}
	}
	return m, refused
}

func (m *meta) read(annotation, v string, data map[string][]byte) (why string) {
	if claim, ok := strings.CutPrefix(annotation, v1alpha1.AnnotationClaimPrefix); ok {
		m.claim(claim, v)
		return ""
	}
	if entry, ok := strings.CutPrefix(annotation, v1alpha1.AnnotationExpiresAtPrefix); ok {
		return m.end(entry, v, data)
	}
	switch annotation {
	case v1alpha1.AnnotationScopes:
		m.identity.Scopes, why = scopesOf(v)
	case v1alpha1.AnnotationExpiresAt:
		m.identity.ExpiresAt, why = timeOf(v)
	case v1alpha1.AnnotationPlainKeys:
		m.plainKeys(v, data)
	}
	return why
}

// claim reads a claim. Any name is one, so that a name which means something else
// elsewhere is told.
func (m *meta) claim(name, v string) {
	m.identity.Claims[name] = v
	meant := ""
	switch strings.ToLower(name) {
	case "sub":
		if name != "sub" {
			meant = v1alpha1.AnnotationClaimPrefix + "sub"
			break
		}
		m.identity.Subject = v
	case "exp", "expires-at", "expiry", "expires":
		meant = v1alpha1.AnnotationExpiresAt
	case "scope", "scopes", "scp":
		meant = v1alpha1.AnnotationScopes
	case "plain-keys":
		meant = v1alpha1.AnnotationPlainKeys
	}
	if meant != "" {
		m.odd = append(m.odd, fmt.Sprintf("annotation %s%s is only a claim; did you mean %s?", v1alpha1.AnnotationClaimPrefix, name, meant))
	}
}

func (m *meta) end(entry, v string, data map[string][]byte) (why string) {
	if _, ok := data[entry]; !ok {
		return "the Secret has no entry " + entry + nearEntry(entry, data) +
			"; an end of an entry that is not there must not leave another key without one"
	}
	end, why := timeOf(v)
	if why != "" {
		return why
	}
	if m.ends == nil {
		m.ends = map[string]time.Time{}
	}
	m.ends[entry] = end
	return ""
}

func timeOf(v string) (time.Time, string) {
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		return t, "expected a time as in 2027-01-31T00:00:00Z (RFC 3339)"
	}
	return t, ""
}

func scopesOf(v string) (scopes []string, why string) {
	if strings.Contains(v, ",") {
		return nil, "expected scopes separated by one space (RFC 6749 3.3), and there is a comma"
	}
	scopes = strings.Split(v, " ")
	if slices.ContainsFunc(scopes, func(s string) bool { return !isScope(s) }) {
		return nil, "expected scopes separated by one space (RFC 6749 3.3)"
	}
	return scopes, ""
}

// plainKeys tells the names that are no entries. The keys that were meant are not
// in force, and told by themselves.
func (m *meta) plainKeys(v string, data map[string][]byte) {
	what := "annotation " + v1alpha1.AnnotationPlainKeys
	if strings.Contains(v, ",") {
		m.odd = append(m.odd, what+": expected names of entries separated by spaces, and there is a comma")
		return
	}
	told := 0
	for _, name := range strings.Fields(v) {
		if _, ok := data[name]; ok || name == allEntries {
			continue
		}
		if told++; told > maxNamesTold {
			m.odd = append(m.odd, what+": there are more names that are no entry")
			return
		}
		m.odd = append(m.odd, what+": the Secret has no entry "+authz.Cut(name, maxNameTold)+nearEntry(name, data))
	}
}

// Bounds on what is told of names, and on what a name is compared with.
const (
	maxNamesTold = 5
	maxNameTold  = 100
	maxCompared  = 100
)

func nearEntry(name string, data map[string][]byte) string {
	if len(data) > maxCompared || len(name) > maxNameTold {
		return ""
	}
	return didYouMean(name, slices.Sorted(maps.Keys(data)))
}

const allEntries = "*"

// plainKeys are the entries that hold a key itself.
type plainKeys map[string]bool

func plainKeysOf(annotations map[string]string) plainKeys {
	out := plainKeys{}
	for _, name := range strings.Fields(annotations[v1alpha1.AnnotationPlainKeys]) {
		out[name] = true
	}
	return out
}

func (p plainKeys) has(entry string) bool { return p[entry] || p[allEntries] }

// isScope is scope-token of RFC 6749 3.3.
func isScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '\\' || c > '~' {
			return false
		}
	}
	return s != ""
}
