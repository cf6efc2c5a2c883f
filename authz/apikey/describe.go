package apikey

import (
	"maps"
	"slices"
	"time"
)

// The states of an entry.
const (
	Valid   = "valid"
	Ended   = "ended"
	Refused = "refused"
)

// Entry is an entry of a Secret as it is at a time. It holds no key and no digest.
type Entry struct {
	ID      string    `json:"entry"`
	Subject string    `json:"subject"`
	Scopes  []string  `json:"scopes"`
	End     time.Time `json:"end,omitzero"`
	State   string    `json:"state"`
	// Why says why the entry is no key, or not used.
	Why string `json:"why,omitempty"`
}

// Describe tells the entries of a Secret of API keys at a time, in the order of
// their names. data may be as its owner wrote it.
func Describe(name string, labels, annotations map[string]string, data map[string][]byte, now time.Time) []Entry {
	m, refused := readMeta(name, labels, annotations, data)
	digests := Digest(annotations, data)
	count := map[string]int{}
	for _, value := range digests {
		count[string(value)]++
	}
	out := make([]Entry, 0, len(data))
	for _, id := range slices.Sorted(maps.Keys(data)) {
		e := Entry{ID: id, Subject: m.identity.Subject, Scopes: append([]string{}, m.identity.Scopes...),
			End: earlier(m.ends[id], m.identity.ExpiresAt), State: Valid}
		_, why := ParseDigest(digests[id])
		switch {
		case refused != nil:
			e.State, e.Why = Refused, refused[0]
		case why != "":
			e.State, e.Why = Refused, why
		case count[string(digests[id])] > 1:
			e.State, e.Why = Refused, "the same key is in another entry"
		case !e.End.IsZero() && !now.Before(e.End):
			e.State = Ended
		}
		out = append(out, e)
	}
	return out
}
