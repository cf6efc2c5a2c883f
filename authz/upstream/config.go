package upstream

import (
	"context"
	"crypto/x509"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/authz/introspect"
)

// Settings say where, as whom and for what a token is asked for.
type Settings struct {
	Endpoint string
	Client   introspect.Client
	// Roots verify the server; nil are the system's.
	Roots *x509.CertPool
	// Audience, Resource and Scopes are what the token is for; each may be left out.
	Audience, Resource string
	Scopes             []string
	// Exchanged asks for a token for the caller's; RequestedType is its type, "" any
	// access token. Actor, if not nil, is agentauth's own token beside it.
	Exchanged     bool
	RequestedType string
	Actor         Source
	// Tenant returns whose turn a request takes; nil: nobody's in particular.
	Tenant func() string
}

// Inputs are all texts that the token depends on, but for those of the client, the
// roots and the actor. The length of the list of scopes is one, so that no text can
// move from one field to the next.
func (s *Settings) Inputs() [][]byte {
	in := [][]byte{[]byte(s.Endpoint), []byte(s.Audience), []byte(s.Resource), []byte(s.RequestedType),
		strconv.AppendBool(nil, s.Exchanged), strconv.AppendInt(nil, int64(len(s.Scopes)), 10)}
	for _, scope := range s.Scopes {
		in = append(in, []byte(scope))
	}
	return in
}

// Config is Settings and what a process has for all of them.
type Config struct {
	Settings
	// Post sends a request when it is the tenant's turn; asked says that a caller
	// waits for it. Its errors hold nothing that was received; they wrap
	// context.DeadlineExceeded, context.Canceled or work.ErrOverloaded if that is the
	// reason.
	Post func(ctx context.Context, tenant string, asked bool, r introspect.Request) (introspect.Response, error)
	// Panicked, if not nil, is told of a panic over an answer, with its stack. The
	// value may quote the answer.
	Panicked func(value any, stack []byte)
	// Shared is one for all of a process; nil: one of its own.
	Shared *Shared
}

// Server is a Source that asks a token endpoint. Close ends what it does in the
// background; checks that began before go on.
type Server interface {
	Source
	Close()
}

// New makes the Server for the settings.
func New(c Config) Server {
	if c.Shared == nil {
		c.Shared = NewShared()
	}
	e := endpoint{config: c, owner: &c.Tenant}
	e.counted = c.Shared.enter(c.Endpoint, e.owner)
	if c.Exchanged {
		return &Exchange{endpoint: e, calls: map[[32]byte]*call{}}
	}
	return &Grant{endpoint: e}
}

// form is what is asked for, without what the grant needs.
func (s *Settings) form(grant string) url.Values {
	form := url.Values{"grant_type": {grant}}
	for name, value := range map[string]string{"audience": s.Audience, "resource": s.Resource, "scope": strings.Join(s.Scopes, " ")} {
		if value != "" {
			form.Set(name, value)
		}
	}
	return form
}

const (
	// maxCall is how long a request may take with its wait for a turn: as long as the
	// longest check.
	maxCall = 5 * time.Second
	// usualLife is that of a token whose server does not say how long it lasts
	// (RFC 6749 5.1).
	usualLife = 5 * time.Minute
	// maxMargin is how long before its end a token is used no more: a request is on
	// its way for a while. It is at most a tenth of the life of the token.
	maxMargin = 5 * time.Second
	// retryAfter is when asking again makes sense after a failure.
	retryAfter = time.Second
	// longestRest is the longest pause after failures, and longestRefused where the
	// server does not take agentauth as its client: that lasts until somebody acts.
	longestRest, longestRefused = 5 * time.Second, time.Minute
)

// ends is when a token is used no more that was asked for at a time.
func ends(asked time.Time, lasts, most time.Duration) time.Time {
	if lasts == 0 {
		lasts = usualLife
	}
	lasts = min(lasts, most)
	return asked.Add(lasts - min(maxMargin, lasts/10))
}

// rest is the pause after so many failures in a row, of which last is the last.
func rest(failures int, last Outcome) time.Duration {
	most := longestRest
	if last == Refused {
		most = longestRefused
	}
	return min(retryAfter<<min(failures-1, 10), most)
}
