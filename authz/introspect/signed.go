package introspect

import (
	"context"
	"errors"
	"time"

	"github.com/agentauth-dev/agentauth/authz/authn"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// signedType is the content type of signed answers (RFC 9701 5). JSON is preferred: TLS
// says whose it is. A server that signs whatever is accepted is understood.
const signedType = "application/token-introspection+jwt"

// readSigned verifies a signed answer by the keys of the issuer, which are fetched when
// the first one comes.
func (s *Server) readSigned(ctx context.Context, tenant string, body []byte) (*authn.Answer, Outcome, error) {
	if s.config.Keys == nil {
		return nil, Malformed, errors.New("the answer is signed (content type " + signedType + ", RFC 9701), and nothing says by whom: set issuer of the method, whose keys are found by discovery, or let the server answer in JSON")
	}
	signed := authn.SignedAnswers{Issuer: s.config.Issuer, Client: s.config.Client.ID, Keys: s.config.Keys,
		Owner: work.Owner{Namespace: tenant}, Scheduler: s.config.Shared.reading}
	answer, err := signed.Read(ctx, body, time.Now())
	var down *authn.Unavailable
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, Late, errors.New("the answer is signed, and was not verified in the time that checks have")
	case errors.As(err, &down):
		return nil, Failed, errors.New("the answer is signed, and cannot be verified now: " + down.Detail)
	case err != nil:
		return nil, Malformed, err
	case !answer.Active:
		return answer, Inactive, nil
	}
	return answer, Active, nil
}
