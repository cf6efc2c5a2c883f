// Package password verifies user names and passwords.
//
// A Users is an immutable table: ParseHtpasswd reads one from an htpasswd file,
// Plain makes one of a single user whose password is given in plain. A Verifier
// checks a pair against a table; one Verifier serves all tables, and goes on
// when they change. Hash makes a hash for an htpasswd file.
//
// Names and passwords are compared byte for byte, without Unicode
// normalisation. A password is refused, whatever the table says, if it is
// empty, has control characters (RFC 7617 section 2) or is over MaxPassword
// bytes (for bcrypt MaxBcryptPassword).
package password

import (
	"errors"
	"fmt"

	"github.com/agentauth-dev/agentauth/authz/work"
)

// ErrUnknownUser says that the table has no such user. Answer it exactly like
// ErrMismatch: whoever can tell them apart can list the users.
var ErrUnknownUser = errors.New("password: unknown user")

// ErrMismatch says that the user is known and the password is wrong. An error
// that wraps it may describe the password's form, never its bytes.
var ErrMismatch = errors.New("password: wrong password")

// ErrOverloaded says that the check found no place, or cannot end in its time.
// Nothing is known about the password: answer 503, not 401.
var ErrOverloaded = work.ErrOverloaded

const (
	// MaxPassword is the longest password in bytes. sha512-crypt works longer
	// on longer passwords, and a stranger chooses the length.
	MaxPassword = 256

	// MaxBcryptPassword is the longest password in bytes for bcrypt, which
	// would ignore the 73rd byte: then everything with the same beginning fits.
	MaxBcryptPassword = 72
)

// checkForm returns an error if pass has a form that is never verified. The
// error does not repeat it.
//
// bcrypt repeats password and NUL until 72 bytes are full, so that "a" and
// "a\x00a" have one hash; refusing controls closes that as well.
func checkForm(pass []byte, longest int) error {
	switch {
	case len(pass) == 0:
		return fmt.Errorf("expected a password of 1 to %d bytes, got none", longest)
	case len(pass) > longest:
		return fmt.Errorf("expected a password of 1 to %d bytes, got %d", longest, len(pass))
	case hasControl(pass):
		return errors.New("expected a password without control characters (a trailing newline is one), got some")
	}
	return nil
}

// hasControl reports CTL of RFC 5234 appendix B.1.
func hasControl(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c == 0x7f {
			return true
		}
	}
	return false
}
