package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// authenticate asks every method for its own credential, and applies their
// requirements: every Required method must succeed, and one of the Sufficient
// methods if there are any.
type authenticate struct {
	*outline
	methods []method
	revoked revoked
	// resource is what challenges name; nil is none.
	resource *Resource

	// none is the answer where no credential came, another where none was accepted, and
	// plaintext where a password came over plaintext.
	none, another, plaintext *denial
}

// method is a Method and where it reads: indexes of the stage's places.
type method struct {
	Method
	tokens, asks bool
	places       []int
	// prover is the authenticator, if its credentials may be bound; else nil.
	prover authn.Prover
}

func newAuthenticate(c Config, o *outline) authenticate {
	a := authenticate{
		outline: o, methods: make([]method, len(c.Methods)), revoked: revoked{c.Revoked, c.Owner.Namespace}, resource: c.Resource,
		none: sendCredential.of(c.Unauthenticated), another: sendAnother.of(c.Unauthenticated), plaintext: useHTTPS.of(c.Unauthorized),
	}
	for i, m := range c.Methods {
		reads := m.Authenticator.Reads()
		a.methods[i] = method{Method: m, tokens: reads.Tokens, asks: reads.Asks, places: o.reads[i], prover: authn.ProverOf(m.Authenticator)}
	}
	return a
}

// credentials are what the places of a request hold, and what the methods made
// of it.
type credentials struct {
	// found and occupied are in the order of the stage's places. A place is
	// occupied if it holds something, for whichever method.
	found    []*authn.Presented
	occupied []bool
	// results are in the order of the methods.
	results []result
	// sufficient says that one of the Sufficient methods succeeded.
	sufficient bool
}

// result is what one method made of the request. The zero value is that no
// credential of its kind came.
type result struct {
	identity *authz.Identity
	// rejected says why the credential does not hold. verified is the credential that
	// was verified all the same, if it was.
	rejected    *authn.Rejected
	verified    *authn.Verified
	unavailable *authn.Unavailable
	// asks says that the method asks others.
	asks bool
	// notMine is the error of a method that does not know the credential.
	notMine error
	// place holds the credential; nil if there is none.
	place *authn.Place
}

func (a *authenticate) run(ctx context.Context, x *exchange) bool {
	c := &x.credentials
	c.results = inline(x.arrays.results[:], len(a.methods))
	c.found = inline(x.arrays.found[:], len(a.places))
	c.occupied = inline(x.arrays.occupied[:], len(a.places))
	if x.recorded() != nil {
		return a.replay(x)
	}
	room := &x.arrays.credential
	for i, place := range a.places {
		var err error
		if c.found[i], c.occupied[i], err = authn.ReadInto(x.request, place, room); err != nil {
			return x.badRequest(authz.StageAuthenticate, err)
		}
		if c.found[i] != nil {
			room = nil // it is taken
		}
	}
	for _, name := range a.once {
		if value, fields := x.request.Header(name); fields > 1 || strings.Contains(value, ",") { // Envoy joins fields of one name with a comma
			return x.badRequest(authz.StageAuthenticate, &authz.BadRequestError{Problem: "the header " + name + ", which comes with a credential, occurs more than once or holds a list"})
		}
	}
	for _, i := range a.order {
		m, out := &a.methods[i], &c.results[i]
		if err := m.ask(ctx, x.request, c, out, a.revoked); err != nil {
			return x.badRequest(authz.StageAuthenticate, err)
		}
		if x.trace != nil {
			step := m.step(out)
			if x.trace.Rehearsal && out.identity != nil && out.place != nil && out.place.UnderDPoP() {
				step.Detail += "; whether the proof was used before is not asked when a decision is only explained"
			}
			x.trace.Add(step)
		}
	}
	if !a.conclude(x) {
		return x.decide(a.refuse(ctx, x))
	}
	a.noteRevoked(ctx, x)
	return false
}

// ask lets the method check the credential that it reads. An error is a
// *authz.BadRequestError.
func (m *method) ask(ctx context.Context, r *authz.Request, c *credentials, out *result, revoked revoked) error {
	mine, err := m.own(c)
	if err == nil && m.mayCheck(mine, c, out) {
		m.check(ctx, r, mine, out, revoked)
	}
	return err
}

// mayCheck says whether the method is to check what it found: a JWT belongs to
// the methods for JWTs, sound or not, others are not asked about a credential that
// a method knows or may know, and a method that reads nowhere wants a request without any
// credential.
func (m *method) mayCheck(mine *authn.Presented, c *credentials, out *result) bool {
	if mine == nil {
		return len(m.places) == 0 && !slices.Contains(c.occupied, true)
	}
	out.place = &mine.Place
	if !m.tokens && authz.IsJWT(mine.Value) || m.asks && c.known(&mine.Place) {
		return false
	}
	out.rejected = mine.Refused
	return out.rejected == nil
}

func (m *method) check(ctx context.Context, r *authz.Request, mine *authn.Presented, out *result, revoked revoked) {
	out.asks = m.asks
	if ctx.Err() != nil {
		out.unavailable = &authn.Unavailable{Reason: authz.Unavailable, Detail: "the methods before this one took all of the time"}
		return
	}
	verified, err := m.Authenticator.Verify(ctx, mine)
	if err != nil {
		verified = nil // whatever came with it
	} else if verified != nil {
		if err = m.Authenticator.Check(r, verified); err == nil && m.prover != nil {
			err = m.prover.Prove(ctx, r, mine, verified)
		}
		if err == nil {
			err = verified.Complete(ctx)
			work.BudgetOf(ctx).Done() // the next method may wait for a turn
		}
		if err == nil {
			err = revoked.check(r, verified)
		}
	}
	switch {
	case err == nil && verified != nil:
		out.identity = &verified.Identity
	case errors.Is(err, authn.ErrNotMine):
		out.notMine = err
	case errors.As(err, &out.rejected):
		out.verified = cmp.Or(verified, out.rejected.Verified)
	case errors.As(err, &out.unavailable):
	default:
		out.unavailable = &authn.Unavailable{Reason: authz.Internal, Detail: "a defect of agentauth: a method without an answer"}
	}
}

// own is the credential in the method's places; nil if there is none.
func (m *method) own(c *credentials) (mine *authn.Presented, err error) {
	for _, i := range m.places {
		switch {
		case c.found[i] == nil:
		case mine != nil:
			// RFC 6750 2: one method of transmitting a token per request.
			return nil, &authz.BadRequestError{Problem: fmt.Sprintf(
				"the %s and the %s both hold a credential; send one", mine.Place, c.found[i].Place)}
		default:
			mine = c.found[i]
		}
	}
	return mine, nil
}

// conclude applies the requirements and chooses the identity: the first
// Sufficient success, else the first Required one.
func (a *authenticate) conclude(x *exchange) bool {
	var sufficient, required *authz.Identity
	needSufficient, allRequired := false, true
	identities := x.identities
	for i := range a.methods {
		m, id := &a.methods[i], x.credentials.results[i].identity
		if id != nil {
			identities = append(identities, id)
		}
		if m.Required {
			allRequired = allRequired && id != nil
			required = first(required, id)
		} else {
			needSufficient = true
			sufficient = first(sufficient, id)
		}
	}
	x.credentials.sufficient = sufficient != nil
	if !allRequired || needSufficient && sufficient == nil || len(a.methods) == 0 {
		return false
	}
	x.identity, x.identities = first(sufficient, required), identities
	return true
}

func first(a, b *authz.Identity) *authz.Identity {
	if a != nil {
		return a
	}
	return b
}

// step tells what the method made of the request.
func (m *method) step(r *result) authz.Step {
	s := authz.Step{Stage: authz.StageAuthenticate, Name: m.Name, Outcome: authz.StepAbsent}
	if r.place != nil {
		s.Read, s.Outcome = r.place.String(), authz.StepNotMine
	}
	switch {
	case r.identity != nil:
		s.Outcome, s.Detail = authz.StepSucceeded, "subject "+strconv.Quote(r.identity.Subject)
		if a := r.identity.Actor; a != nil && a.Unreadable {
			s.Detail += ", an actor that cannot be read"
		} else if a != nil {
			s.Detail += ", actor " + strconv.Quote(a.Subject)
		}
	case r.rejected != nil:
		s.Outcome, s.Detail = authz.StepRejected, r.rejected.Error()
		if r.rejected.Came != nil {
			s.Came = r.rejected.Came()
		}
	case r.unavailable != nil:
		s.Outcome, s.Detail = authz.StepUnavailable, r.unavailable.Error()
	case len(m.places) == 0:
		s.Outcome = authz.StepNotApplicable
	}
	if n := authn.NotMine(nil); errors.As(r.notMine, &n) {
		s.Came = n.Came()
	}
	return s
}
