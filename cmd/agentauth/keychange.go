package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/apikey"
)

// keySecret is a Secret of API keys, of a file or of a cluster.
type keySecret struct {
	Namespace, Name     string
	Labels, Annotations map[string]string
	Data                map[string][]byte
	Where               string // the file, or "the cluster"
}

func (s *keySecret) String() string { return "Secret " + s.Namespace + "/" + s.Name }

// keyChange is what becomes of a Secret. An annotation that is "" is removed.
type keyChange struct {
	put      map[string]string // entries and their values
	drop     []string          // entries
	annotate map[string]string
}

// rotation is how an entry of a Secret is rotated.
type rotation struct {
	old, entry string
	overlap    time.Duration
	end        time.Time // of the new key; zero: none
	digest     string
	now        time.Time
}

// change adds the new entry, and ends the old one after the overlap, or before if
// it ends before.
func (r *rotation) change(s *keySecret) (c keyChange, ends time.Time, err error) {
	entries := apikey.Describe(s.Name, s.Labels, s.Annotations, s.Data, r.now)
	old, err := r.pick(s, entries)
	if err != nil {
		return c, ends, err
	}
	r.old = old.ID
	if r.entry == "" {
		r.entry = newEntry(r.now, func(name string) bool { _, taken := s.Data[name]; return taken })
	}
	if _, taken := s.Data[r.entry]; taken {
		return c, ends, usage("%s has an entry %s already; give another --new-entry", s, r.entry)
	}
	if err := checkEntryName("--entry", old.ID); err != nil {
		return c, ends, usage("the entry %s of %s cannot have an end of its own: its name is no name of an annotation; make a new key with key issue, and revoke this one after the change", old.ID, s)
	}
	ends = r.now.Add(r.overlap)
	if !old.End.IsZero() && old.End.Before(ends) {
		ends = old.End
	}
	c = keyChange{put: map[string]string{r.entry: r.digest}, annotate: map[string]string{v1alpha1.AnnotationExpiresAtPrefix + old.ID: rfc3339(ends)}}
	if !r.end.IsZero() {
		c.annotate[v1alpha1.AnnotationExpiresAtPrefix+r.entry] = rfc3339(r.end)
	}
	return c, ends, nil
}

// pick is the entry that is rotated: that of --entry, or the only one that is valid,
// or of several valid ones the only one without an end of its own.
func (r *rotation) pick(s *keySecret, entries []apikey.Entry) (old apikey.Entry, err error) {
	if why := apikey.Unusable(s.Name, s.Labels, s.Annotations, s.Data); why != "" {
		return old, usage("%s is not used: %s; correct that first", s, why)
	}
	var names []string
	var valid, open []apikey.Entry
	for _, e := range entries {
		names = append(names, e.ID)
		if e.State != apikey.Valid {
			continue
		}
		valid = append(valid, e)
		if _, has := s.Annotations[v1alpha1.AnnotationExpiresAtPrefix+e.ID]; !has {
			open = append(open, e)
		}
	}
	switch {
	case r.old != "":
	case len(valid) == 1:
		return valid[0], nil
	case len(open) == 1:
		return open[0], nil
	case len(valid) == 0:
		return old, usage("%s has no valid key to rotate; make one with agentauth key issue", s)
	default:
		return old, usage("%s has %d valid keys; name the one that ends with --entry (it has: %s)", s, len(valid), strings.Join(names, ", "))
	}
	i := slices.Index(names, r.old)
	if i < 0 {
		return old, usage("--entry %s: %s has no such entry to rotate (it has: %s); the name of the new entry is --new-entry", r.old, s, strings.Join(names, ", "))
	}
	if e := entries[i]; e.State == apikey.Refused {
		return old, usage("the entry %s of %s is no key: %s; make a key with key issue", e.ID, s, e.Why)
	}
	return entries[i], nil
}

// revocation removes entries, and what annotations say of them.
func revocation(s *keySecret, entries []string) (c keyChange, err error) {
	c.annotate = map[string]string{}
	for _, id := range entries {
		if _, ok := s.Data[id]; !ok {
			return c, usage("--entry %s: %s has no such entry (it has: %s)", id, s, sortedNames(s.Data))
		}
		if _, has := s.Annotations[v1alpha1.AnnotationExpiresAtPrefix+id]; has {
			c.annotate[v1alpha1.AnnotationExpiresAtPrefix+id] = ""
		}
	}
	c.drop = entries
	if plain := strings.Fields(s.Annotations[v1alpha1.AnnotationPlainKeys]); slices.ContainsFunc(plain, func(name string) bool { return slices.Contains(entries, name) }) {
		left := slices.DeleteFunc(plain, func(name string) bool { return slices.Contains(entries, name) })
		c.annotate[v1alpha1.AnnotationPlainKeys] = strings.Join(left, " ")
	}
	return c, nil
}

// apply changes the values of a Secret.
func (c *keyChange) apply(s *keySecret) {
	for id, value := range c.put {
		if s.Data == nil {
			s.Data = map[string][]byte{}
		}
		s.Data[id] = []byte(value)
	}
	for _, id := range c.drop {
		delete(s.Data, id)
	}
	for name, value := range c.annotate {
		if value == "" {
			delete(s.Annotations, name)
			continue
		}
		if s.Annotations == nil {
			s.Annotations = map[string]string{}
		}
		s.Annotations[name] = value
	}
}

func sortedKeysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// printableText is a text that writes no line of its own.
func printableText(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
