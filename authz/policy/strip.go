package policy

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
)

// strip removes credentials from the request: every place that any method
// reads, used or not. With forward it leaves those that succeeded.
type strip struct {
	places []authn.Place
	// names are those of the places, and beside the headers that come with credentials.
	names, beside []Name
	forward       bool
}

func newStrip(places []authn.Place, beside []string, forward bool) strip {
	s := strip{places: places, forward: forward}
	for _, place := range places {
		s.names = append(s.names, Name{authz.Alias(place.Name), place.Name})
	}
	for _, name := range beside {
		s.beside = append(s.beside, Name{authz.Alias(name), name})
	}
	return s
}

// always are the headers that strip removes from every request.
func (s *strip) always() (names []string) {
	for _, place := range s.places {
		if place.In == authn.InHeader && !place.ReadsList() && !s.forward {
			names = append(names, place.Name)
		}
	}
	return names
}

func (s *strip) run(_ context.Context, x *exchange) bool {
	d, m := &x.decision, &x.removal
	var cookies []string
	for i := range s.places {
		place := &s.places[i]
		kept := s.forward && x.credentials.succeeded(place)
		switch place.In {
		case authn.InHeader:
			switch {
			case kept:
			case place.ReadsList():
				if err := s.stripList(x, i); err != nil {
					return x.badRequest(authz.StageRespond, err)
				}
			default:
				m.add(place.Name)
			}
			m.aliases(s.names[i])
		case authn.InQuery:
			// Envoy rewrites a whole query from which it is to remove anything.
			if !kept && literal(x.request.Query, place.Name) && !slices.Contains(d.RemoveQuery, place.Name) {
				d.RemoveQuery = append(d.RemoveQuery, place.Name)
			}
		case authn.InCookie:
			if !kept {
				cookies = append(cookies, place.Name)
			}
		case authn.InConnection: // it is no part of the request
		default:
			return x.decide(Unavailable(authz.Internal, "a defect of agentauth: a place that cannot be stripped", 0))
		}
	}
	if !s.forward {
		for _, n := range s.beside {
			m.came(n.Name)
			m.aliases(n)
		}
	}
	if len(cookies) > 0 {
		if err := stripCookies(x, cookies); err != nil {
			return x.badRequest(authz.StageRespond, err)
		}
	}
	return false
}

// stripList leaves the rest of a list in which the place holds a credential.
func (s *strip) stripList(x *exchange, i int) error {
	if x.credentials.found[i] == nil {
		return nil
	}
	place, d := s.places[i], &x.decision
	at := slices.IndexFunc(d.Set, func(h authz.Header) bool { return h.Name == place.Name })
	if at < 0 {
		list, _ := x.request.Header(place.Name)
		at, d.Set = len(d.Set), append(d.Set, authz.Header{Name: place.Name, Value: list})
	}
	d.Set[at].Value = place.WithoutCredential(d.Set[at].Value)
	return writable("the "+place.String(), d.Set[at].Value)
}

// writable refuses what cannot be written again, and so not stripped either.
func writable(what, rest string) error {
	if !authz.ValidFieldValue(rest) || !utf8.ValidString(rest) {
		return &authz.BadRequestError{Problem: what + " has bytes that no header may have, beside a credential"}
	}
	return nil
}

func literal(q authz.Query, name string) bool {
	return slices.ContainsFunc(q, func(p authz.Param) bool { return p.RawName == name })
}

// succeeded says whether a credential in this header, cookie or parameter did.
func (c *credentials) succeeded(place *authn.Place) bool {
	for i := range c.results {
		if r := &c.results[i]; r.identity != nil && r.at(place) {
			return true
		}
	}
	return false
}

// at says whether the credential was in this header, cookie or parameter.
func (r *result) at(place *authn.Place) bool {
	return r.place != nil && r.place.In == place.In && r.place.Name == place.Name
}

// stripCookies rewrites the cookie header without the named cookies. A header
// that cannot be written again cannot be stripped, and is refused.
func stripCookies(x *exchange, names []string) error {
	header, _ := x.request.Header("cookie")
	var kept []string
	changed := false
	for pair := range strings.SplitSeq(header, ";") {
		pair = strings.Trim(pair, " \t")
		name, _, _ := strings.Cut(pair, "=")
		switch {
		case pair == "":
		case slices.Contains(names, strings.TrimRight(name, " \t")):
			changed = true
		default:
			kept = append(kept, pair)
		}
	}
	switch {
	case !changed:
	case len(kept) == 0:
		x.removal.add("cookie")
	default:
		rest := strings.Join(kept, "; ")
		if err := writable("the cookie header", rest); err != nil {
			return err
		}
		x.decision.Set = append(x.decision.Set, authz.Header{Name: "cookie", Value: rest})
	}
	return nil
}
