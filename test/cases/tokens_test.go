package cases

import (
	"context"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/upstream"
)

// tokenEndpoint is a token endpoint as if it were asked. The host of its URL says what
// it does: down.example.com answers nobody, and refuses.example.com exchanges nobody's
// token. Any other issues a token that says what it was asked for.
type tokenEndpoint struct {
	upstream.Settings
	ready chan struct{}
}

func (tokenEndpoint) Start()                   {}
func (tokenEndpoint) Close()                   {}
func (e tokenEndpoint) Ready() <-chan struct{} { return e.ready }

func (e tokenEndpoint) Token(ctx context.Context, c upstream.Caller) (string, error) {
	switch {
	case e.Exchanged && c.Token == "":
		return "", upstream.ErrNothingToExchange
	case strings.Contains(e.Endpoint, "down."):
		return "", &upstream.Unavailable{RetryAfter: 7 * time.Second, Detail: "no answer"}
	case e.Exchanged && strings.Contains(e.Endpoint, "refuses."):
		return "", &upstream.CallerRefused{Detail: "invalid_grant"}
	}
	said := []string{e.Client.ID, e.Audience, e.Resource, strings.Join(e.Scopes, "+")}
	if e.Exchanged {
		said = append(said, "for-"+c.Identity.Subject)
	}
	if e.Actor != nil {
		actor, err := e.Actor.Token(ctx, upstream.Caller{})
		if err != nil {
			return "", err
		}
		said = append(said, "by-"+actor)
	}
	return strings.Join(said, "~"), nil
}

func tokenEndpoints(s upstream.Settings) engine.TokenServer {
	e := tokenEndpoint{s, make(chan struct{})}
	close(e.ready)
	return e
}
