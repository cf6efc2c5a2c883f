// Package upstream gets the token that an upstream receives in place of the caller's
// credentials. Each kind of token is a [Source], in a file of its own:
//
//   - [Fixed] is a key that stands in a Secret.
//   - [Grant] is a token of agentauth's own client (RFC 6749 4.4), one for all
//     callers, renewed in the background while it is used.
//   - [Exchange] is a token for each caller, in exchange for the caller's own
//     (RFC 8693), kept until one of the two ends.
//   - [Signed] is a JWT of agentauth itself, signed for each request.
//
// A token endpoint is asked once however many checks wait. Nothing is sent without a
// token: what cannot be had is an [*Unavailable], and a caller whose token the server
// does not exchange is [*CallerRefused]. Errors hold nothing that a server sent but the
// name of a known error, no token and no secret.
package upstream

import (
	"bytes"
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/agentauth-dev/agentauth/authz"
)

// Source is where the token of a request comes from. It is asked last of all, for
// requests that are allowed otherwise.
type Source interface {
	// Token returns a token that the header may hold at this moment. The errors are
	// *Unavailable, *CallerRefused and *Unsayable; any other is a defect.
	Token(ctx context.Context, c Caller) (string, error)
}

// AsksNobody says that a Source makes its token by itself: it waits for nobody, and
// leaves nothing behind.
func AsksNobody(s Source) bool {
	switch s.(type) {
	case Fixed, Missing, *Signed:
		return true
	}
	return false
}

// Caller is whose request it is.
type Caller struct {
	Identity *authz.Identity
	// Token is the access token that Identity was established by, and Digest its
	// SHA-256. Token is "" if the credential was none, or is not to be exchanged.
	Token  string
	Digest [32]byte
	// Claims are what the policy says beside the identity, as values of JSON, and
	// Time is that of the request; both are for [Signed] alone.
	Claims map[string]any
	Time   time.Time
}

// Unavailable says that there is no token now (503).
type Unavailable struct {
	// RetryAfter is when asking again makes sense; 0 is unknown.
	RetryAfter time.Duration
	// Detail is for the operator.
	Detail string
}

func (e *Unavailable) Error() string { return e.Detail }

// CallerRefused says that there is no token for this caller (403).
type CallerRefused struct {
	// Detail is for the operator.
	Detail string
}

func (e *CallerRefused) Error() string { return e.Detail }

// Unsayable says that no token can say what it is to say (503): asking again does not
// help.
type Unsayable struct {
	// Detail is for the operator.
	Detail string
}

func (e *Unsayable) Error() string { return e.Detail }

// Fixed is a token that does not change.
type Fixed string

// Token implements [Source].
func (f Fixed) Token(context.Context, Caller) (string, error) { return string(f), nil }

// Missing is a Source without a token: it is why.
type Missing string

// Token implements [Source].
func (m Missing) Token(context.Context, Caller) (string, error) {
	return "", &Unavailable{Detail: string(m)}
}

// Unusable says what is wrong with the key of a provider; "" if nothing is.
func Unusable(key []byte) string {
	switch {
	case len(key) == 0:
		return "it is empty"
	case len(key) > authz.MaxToken:
		return fmt.Sprintf("expected at most %d bytes, got %d", authz.MaxToken, len(key))
	case bytes.ContainsAny(key[len(key)-1:], "\r\n"):
		return "it ends in a line break, which would be part of it; remove it (printf, not echo)"
	case !utf8.Valid(key) || !authz.ValidFieldValue(string(key)):
		return "expected a value that a header can have: UTF-8 without control characters, and without white space at either end (RFC 9110 5.5)"
	}
	return ""
}
