package authn

import (
	"errors"

	"github.com/agentauth-dev/agentauth/authz"
)

// maxActors is how many actors a token may name, one within the other.
const maxActors = 8

// ActorOf is the actor that a claim `act` names (RFC 8693 4.1): the outermost one, who
// acts now. What is within it is history. A claim that is there and no object is an
// actor that cannot be read: an agent never looks like the person it acts for.
func ActorOf(act any) (*authz.Actor, error) {
	if act == nil {
		return nil, nil
	}
	m, ok := act.(map[string]any)
	if !ok {
		return &authz.Actor{Unreadable: true}, nil
	}
	a := &authz.Actor{}
	a.Subject, _ = ClaimText(m["sub"])
	a.Issuer, _ = m["iss"].(string)
	for n := 1; ok; n++ {
		if n > maxActors {
			return nil, errors.New("act holds more than 8 actors, one within the other")
		}
		m, ok = m["act"].(map[string]any)
	}
	return a, nil
}
