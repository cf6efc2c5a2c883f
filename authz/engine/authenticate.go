package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
)

// who is what authentication found out.
type who struct {
	ok bool
	// sufficient says that one of the Sufficient methods succeeded.
	sufficient bool
	identity   *authz.Identity
	identities map[string]*authz.Identity
	// results are in the order of the policy's methods, found in that of its
	// places; occupied says that a place holds something, for whoever it is.
	results  []result
	found    []*authn.Presented
	occupied []bool
}

// result is what one method made of the request. The zero value is that no
// credential of its kind came.
type result struct {
	identity    *authz.Identity
	rejected    *authn.Rejected
	unavailable *authn.Unavailable
	// place holds the credential; nil if there is none.
	place *authn.Place
}

// authenticate asks every method for its own credential. An error is a
// *authz.BadRequestError.
func (p *policy) authenticate(ctx context.Context, r *authz.Request, rec *recorder) (*who, error) {
	w := &who{
		results:  make([]result, len(p.methods)),
		found:    make([]*authn.Presented, len(p.places)),
		occupied: make([]bool, len(p.places)),
	}
	for i, place := range p.places {
		var err error
		if w.found[i], w.occupied[i], err = authn.Read(r, place); err != nil {
			rec.add("authenticate", "refused: %s", err)
			return nil, err
		}
	}
	for i := range p.methods {
		if err := p.ask(ctx, r, &p.methods[i], w, &w.results[i]); err != nil {
			rec.add("authenticate", "refused: %s", err)
			return nil, err
		}
		if rec != nil {
			rec.add("authenticate", "%s", p.tell(&p.methods[i], &w.results[i]))
		}
	}
	p.conclude(w)
	return w, nil
}

// ask lets one method check the credential it would read.
func (p *policy) ask(ctx context.Context, r *authz.Request, m *method, w *who, out *result) error {
	if m.kind == anonymousKind {
		if !slices.Contains(w.occupied, true) {
			out.identity = &authz.Identity{Method: m.name}
		}
		return nil
	}
	var mine *authn.Presented
	for _, i := range m.places {
		switch {
		case w.found[i] == nil:
		case mine != nil:
			// RFC 6750 2: one method of transmitting a token per request.
			return &authz.BadRequestError{Problem: fmt.Sprintf(
				"the %s and the %s both hold a credential; send one", mine.Place, w.found[i].Place)}
		default:
			mine = w.found[i]
		}
	}
	if mine == nil {
		return nil
	}
	out.place = &mine.Place
	if m.kind != jwtKind && authz.IsJWT(mine.Value) {
		return nil // a JWT belongs to the methods for JWTs, sound or not
	}
	id, err := m.auth.Authenticate(ctx, r, mine)
	switch {
	case err == nil && id != nil:
		out.identity = id
	case errors.Is(err, authn.ErrNotMine):
	case errors.As(err, &out.rejected), errors.As(err, &out.unavailable):
	default:
		out.unavailable = &authn.Unavailable{Reason: authz.Internal, Detail: "a defect of agentauth: a method without an answer"}
	}
	return nil
}

// conclude applies the requirements: every Required method, and one of the
// Sufficient ones if there are any.
func (p *policy) conclude(w *who) {
	var sufficient, required *authz.Identity
	needSufficient := false
	allRequired := true
	w.identities = make(map[string]*authz.Identity, len(p.methods))
	for i := range p.methods {
		m, id := &p.methods[i], w.results[i].identity
		if id != nil {
			w.identities[m.name] = id
		}
		if m.required {
			allRequired = allRequired && id != nil
			required = first(required, id)
		} else {
			needSufficient = true
			sufficient = first(sufficient, id)
		}
	}
	w.ok = allRequired && (!needSufficient || sufficient != nil) && len(p.methods) > 0
	w.sufficient = sufficient != nil
	w.identity = first(sufficient, required)
}

func first(a, b *authz.Identity) *authz.Identity {
	if a != nil {
		return a
	}
	return b
}

func (p *policy) tell(m *method, r *result) string {
	switch {
	case r.identity != nil:
		return fmt.Sprintf("method %s succeeded: subject %q", m.name, r.identity.Subject)
	case r.rejected != nil:
		return fmt.Sprintf("method %s rejected the credential in the %s: %s", m.name, r.place, r.rejected)
	case r.unavailable != nil:
		return fmt.Sprintf("method %s cannot check the credential in the %s: %s", m.name, r.place, r.unavailable)
	case r.place != nil:
		return fmt.Sprintf("method %s does not know the credential in the %s", m.name, r.place)
	case m.kind == anonymousKind:
		return fmt.Sprintf("method %s does not apply: a credential came", m.name)
	}
	return fmt.Sprintf("method %s found no credential", m.name)
}
