package authn

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/password"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// Basic checks user names and passwords (RFC 7617).
type Basic struct {
	// Method is the method's name, Owner whose turn its hashing waits for.
	Method string
	Owner  work.Owner
	Realm  string
	// AllowPlaintext accepts passwords that did not come over TLS.
	AllowPlaintext bool
	Users          *password.Users
	Verifier       *password.Verifier
	// Missing says why there are no users; the method is unavailable then.
	Missing string
}

// Reads implements [Authenticator].
func (b *Basic) Reads() Reads {
	return Reads{Places: []Place{{In: InHeader, Name: "authorization", Scheme: "basic", TLSOnly: !b.AllowPlaintext}}}
}

// Challenge implements [Authenticator]. Nobody is asked for a password over
// plaintext.
func (b *Basic) Challenge(r *authz.Request, _ bool) string {
	if !r.TLS && !b.AllowPlaintext {
		return ""
	}
	return `Basic realm="` + b.Realm + `", charset="UTF-8"`
}

// Check implements [Authenticator]. The place refuses a password over plaintext
// before it is hashed; this holds for one that was verified before.
func (b *Basic) Check(r *authz.Request, _ *Verified) error {
	if !r.TLS && !b.AllowPlaintext {
		return overPlaintext
	}
	return nil
}

var overPlaintext = &Rejected{Reason: authz.PlaintextRefused, Detail: "a password came over plaintext; use TLS, or set allowPlaintext"}

// Verify implements [Authenticator].
func (b *Basic) Verify(ctx context.Context, p *Presented) (*Verified, error) {
	if b.Missing != "" {
		return nil, &Unavailable{Reason: authz.Unavailable, Detail: b.Missing}
	}
	user, pass, ok := splitBasic(p)
	if !ok {
		return nil, reject(authz.CredentialMalformed, "expected base64 of user:password in UTF-8 (RFC 7617 2)")
	}
	err := b.Verifier.Verify(ctx, b.Owner, b.Users, user, []byte(pass))
	switch {
	case err == nil:
		return &Verified{Identity: authz.Identity{Method: b.Method, Subject: user}}, nil
	case errors.Is(err, password.ErrUnknownUser), errors.Is(err, password.ErrMismatch):
		return nil, reject(authz.PasswordMismatch, "the user name or the password is wrong")
	case errors.Is(err, password.ErrOverloaded):
		return nil, &Unavailable{Reason: authz.Overloaded, Detail: "too many passwords are waiting to be checked, or this one takes longer than the time that is left"}
	default:
		return nil, &Unavailable{Reason: authz.Unavailable, Detail: "the password could not be checked in time"}
	}
}

// claimed implements [claiming]: the user name. Who sends a key as the user name sends no
// password, or the same: such a name is not told.
func (b *Basic) claimed(p *Presented) (c authz.Claim) {
	if user, pass, ok := splitBasic(p); ok && pass != "" && pass != user && !isOpaque(user) {
		c.Subject = strings.Clone(user) // without the password behind it
	}
	return c
}

// isOpaque says whether a user name looks like a secret that was made at random: one
// word of 32 bytes or more, with letters and digits.
func isOpaque(user string) bool {
	const least = 32
	return len(user) >= least && !strings.ContainsAny(user, " .:/@\\") &&
		strings.ContainsAny(user, "0123456789") && strings.ContainsFunc(user, unicode.IsLetter)
}

func splitBasic(p *Presented) (user, pass string, ok bool) {
	// Go's decoder skips line breaks, even a strict one.
	if p.Malformed != "" || strings.ContainsAny(p.Value, "\r\n") {
		return "", "", false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(p.Value)
	if err != nil || !utf8.Valid(raw) {
		return "", "", false
	}
	user, pass, ok = strings.Cut(string(raw), ":")
	return user, pass, ok && !strings.ContainsFunc(string(raw), unicode.IsControl)
}
