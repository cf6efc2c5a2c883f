package match

import (
	"context"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// View is what a lookup reads of a request.
type View struct {
	// Method in the letter case it was sent in: "get" is not GET.
	Method string
	// Path as sent, undecoded, without the query.
	Path string
	// Query as sent, undecoded, without the question mark.
	Query string
	// Headers may be nil, which is none.
	Headers Headers
	// Partial says that neither Query nor Headers are known: whatever is asked of them
	// may hold.
	Partial bool
	// ExactCase says that paths which differ in letter case are different to every
	// server. Only Respelled reads it.
	ExactCase bool
	// Ctx ends a lookup that takes too long; nil ends none. Regular expressions
	// are matched within its [work.Budget].
	Ctx context.Context

	folded    string // the path without regard to letter case; "" where that matters
	owner     int    // of the candidate that is tried
	late      bool   // a regular expression found no time
	undecided string // a header that readers differ in, "" if none was asked for
}

// Headers returns what came under the name of a header, in lower case.
type Headers interface {
	Read(name string) authz.Reading
}

// Result of a lookup. The zero value is no match on an unknown host.
type Result struct {
	found *Candidate
	// HostKnown says that some entry has the request's host, whether one matched
	// or not.
	HostKnown bool
	// Ambiguous says that the request can be read in two ways that lead to
	// different outcomes; no entry is given then.
	Ambiguous bool
	// Cause is the part of the request that can be read in two ways: "path",
	// "query" or "header x-name"; empty unless Ambiguous.
	Cause string
	// Late says that Ctx ended before the lookup did, or that a heavy regular
	// expression found no turn; no entry is given then.
	Late bool
	// Usual says that no server reads the path otherwise: it has no Variants, and
	// Respelled returns nil. LookupAll sets it.
	Usual bool
}

// Entry is the number of the entry that matched, false if there is none.
func (r Result) Entry() (int, bool) {
	if r.found == nil {
		return 0, false
	}
	return r.found.Entry(), true
}

// Owner is the owner of the entry that matched, false if there is none.
func (r Result) Owner() (int, bool) {
	if r.found == nil {
		return 0, false
	}
	return r.found.Owner(), true
}

// LookupAll finds the entry of a request for every reading of its path (see
// Variants). The result is Ambiguous if two readings lead to different outcomes.
// host is in lower case and without port.
func (x *Index) LookupAll(host string, v View) Result {
	h := x.find(host)
	if h == nil {
		return Result{}
	}
	if plain(v.Path) { // usual, and quick
		r := h.lookup(&v)
		r.Usual = h.spelled(v.Path, v.ExactCase)
		return r
	}
	return h.lookupAll(v)
}

func (h *host) lookupAll(v View) Result {
	r, agree := EveryReading(v.Path, func(path string) (Result, bool) {
		v.Path = path
		r := h.lookup(&v)
		return r, r.Ambiguous || r.Late
	}, func(a, b Result) bool { return sameOutcome(a.found, b.found) })
	if !agree {
		return Result{HostKnown: true, Ambiguous: true, Cause: "path"}
	}
	return r
}

// Lookup finds the entry of a request with the path read as it is. host is in
// lower case and without port.
func (x *Index) Lookup(host string, v View) Result {
	return x.find(host).lookup(&v)
}

// find returns the most specific host, nil if there is none.
func (x *Index) find(name string) *host {
	if h := x.exact[name]; h != nil {
		return h
	}
	if len(x.wildcard) > 0 {
		// The longest wildcard bounds the suffixes, so that a host of thousands of
		// dots costs no more. The first byte begins none: a wildcard stands for at
		// least one byte.
		for i := max(1, len(name)+1-len(x.suffixes)); i < len(name); i++ {
			if name[i] != '.' {
				continue
			}
			if h := x.wildcard[name[i:]]; h != nil {
				return h
			}
		}
	}
	return x.any
}

func (h *host) lookup(v *View) Result {
	if h == nil {
		return Result{}
	}
	var s search
	h.walk(v, &s)
	if s.late {
		return Result{HostKnown: true, Late: true}
	}
	if s.ambiguous || s.first != nil && s.found == nil {
		return Result{HostKnown: true, Ambiguous: true, Cause: v.cause()}
	}
	return Result{HostKnown: true, found: s.found}
}

// cause is the part of the request that made a walk ambiguous.
func (v *View) cause() string {
	if v.undecided != "" {
		return "header " + v.undecided
	}
	return "query"
}

// search is the state of a walk. A candidate that matches under some readings of
// the query or of a header only does not end the walk. All of these, and the candidate that ends
// the walk, must lead to one outcome.
//
// A search does not hold the View, which would go to the heap with it.
type search struct {
	first     *Candidate // the first that matches under some reading
	found     *Candidate // the first that matches under every reading
	ambiguous bool
	late      bool
}

// try reports whether the search is over.
func (s *search) try(v *View, b bucket) bool {
	for _, c := range b.live {
		if s.late = c.asks() && v.Ctx != nil && v.Ctx.Err() != nil; s.late {
			return true
		}
		v.owner = c.Owner()
		verdict := c.matches(v, b.serves(c, v.Method))
		if s.late = v.late; s.late {
			return true
		}
		if verdict == no {
			continue
		}
		if s.first == nil {
			s.first = c
		}
		if verdict == yes {
			s.found = c
		}
		s.ambiguous = !sameOutcome(s.first, c)
		if s.ambiguous || s.found != nil {
			return true
		}
	}
	return false
}

// sameOutcome says whether two candidates lead to one outcome; nil is no match.
func sameOutcome(a, b *Candidate) bool {
	if a == nil || b == nil || a == b {
		return a == b
	}
	return a.owner == b.owner && a.rule == b.rule
}

// Variants returns the other forms in which an upstream may read a path:
//
//   - the normal form of RFC 3986 6.2.2: characters that need no percent-encoding
//     in a segment are decoded, all others are encoded, hexadecimal digits are in
//     upper case (Envoy does not normalise, most upstreams do);
//   - the path as it was sent, and its normal form, with each segment cut at its
//     first ";", where servlet containers see path parameters.
//
// A normal path without ";" has no variants, and costs nothing. Nothing is
// decoded twice; "%2F" stays.
func Variants(path string) []string {
	if plain(path) {
		return nil
	}
	normal := normalise(path)
	var forms []string
	for _, form := range [...]string{normal, cutParameters(path), cutParameters(normal)} {
		if form != path && !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

// EveryReading asks about a path as it was sent and about each of its Variants.
// It returns the first answer that ask calls final, else the answer for the path
// as it was sent. agree is false if the answer for some variant is not the same.
func EveryReading[T any](path string, ask func(path string) (answer T, final bool), same func(a, b T) bool) (answer T, agree bool) {
	first, final := ask(path)
	if final {
		return first, true
	}
	for _, variant := range Variants(path) {
		other, final := ask(variant)
		if final {
			return other, true
		}
		if !same(first, other) {
			return other, false
		}
	}
	return first, true
}

func plain(path string) bool {
	for i := range len(path) {
		if c := path[i]; !pchar[c] && c != '/' || c == ';' {
			return false
		}
	}
	return true
}

func normalise(path string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(path)+8)
	for i := 0; i < len(path); i++ {
		c, encoded := authz.Unescape(path[i:])
		if encoded {
			i += 2
		} else {
			c = path[i]
		}
		switch {
		case pchar[c], c == '/' && !encoded:
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

func cutParameters(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// pchar holds the bytes a path segment may have as they are (RFC 3986 3.3).
var pchar = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" +
	"-._~" + "!$&'()*+,;=" + ":@")

func set(members string) (s [256]bool) {
	for i := range len(members) {
		s[members[i]] = true
	}
	return s
}
