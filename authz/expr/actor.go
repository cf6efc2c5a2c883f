package expr

import (
	"context"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/agentauth-dev/agentauth/authz"
)

// ClaimActor maps claims to an actor, by an expression of kind [Actor]: a subject, or a
// map of subject and issuer; nil for null, optional.none() and "". A map without a
// subject is an error: somebody acts, and nobody knows who.
func (p *Program) ClaimActor(ctx context.Context, claims map[string]any) (*authz.Actor, error) {
	v, err := p.evalClaims(ctx, Actor, claims)
	if err != nil {
		return nil, err
	}
	switch v := unwrap(v).(type) {
	case types.Null:
		return nil, nil
	case traits.Mapper:
		return p.actorOf(v)
	default:
		subject, err := p.claimText(v)
		if err != nil || subject == "" {
			return nil, err
		}
		return &authz.Actor{Subject: subject}, nil
	}
}

func (p *Program) actorOf(m traits.Mapper) (*authz.Actor, error) {
	subject, hasSubject := m.Find(types.String("subject"))
	issuer, hasIssuer := m.Find(types.String("issuer"))
	known := types.Int(0)
	for _, has := range []bool{hasSubject, hasIssuer} {
		if has {
			known++
		}
	}
	if m.Size() != known {
		return nil, failure("expected a map with subject and issuer, got one with other names")
	}
	a := &authz.Actor{}
	var err error
	if a.Subject, err = p.actorText(subject, hasSubject); err != nil {
		return nil, err
	}
	if a.Issuer, err = p.actorText(issuer, hasIssuer); err != nil {
		return nil, err
	}
	if a.Subject == "" {
		return nil, failure("expected a map with the subject of the actor, got one without")
	}
	return a, nil
}

// actorText is a text of a map; "" where it is absent or null.
func (p *Program) actorText(v ref.Val, has bool) (string, error) {
	if !has || unwrap(v) == types.NullValue {
		return "", nil
	}
	return p.claimText(unwrap(v))
}
