package password

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agentauth-dev/agentauth/authz/keyed"
	"github.com/agentauth-dev/agentauth/authz/work"
)

// MaxName is the longest user name in bytes.
const MaxName = 255

// Users is an immutable table of users and their hashes, for any number of
// goroutines. The zero table, and a nil one, know nobody.
type Users struct {
	entries []*entry
	byName  map[keyed.Digest]*entry
}

// entry is one user. id is a digest of name and hash: a remembered password of
// an entry does not count for an entry with another hash.
type entry struct {
	id   keyed.Digest
	name keyed.Digest
	hash hash
}

func newUsers(entries []*entry) *Users {
	users := &Users{entries: entries, byName: make(map[keyed.Digest]*entry, len(entries))}
	for _, e := range entries {
		users.byName[e.name] = e
	}
	return users
}

// Len is the number of users who can be verified.
func (u *Users) Len() int {
	if u == nil {
		return 0
	}
	return len(u.entries)
}

// find returns the entry of a known user. An unknown one gets somebody else's,
// always the same one, to spend its cost and drop the result: in a table of
// mixed hashes the costs of unknown names are then spread like those of known
// names. nil means that the table is empty.
func (u *Users) find(user string) (e *entry, known bool) {
	if u.Len() == 0 {
		return nil, false
	}
	name := nameDigest(user)
	if e, known = u.byName[name]; known {
		return e, true
	}
	return u.entries[binary.BigEndian.Uint64(name[:])%uint64(len(u.entries))], false
}

func nameDigest(user string) keyed.Digest { return keyed.Of("name", []byte(user)) }

// checkName returns an error for a bad user name. The error does not repeat it.
func checkName(user string) error {
	switch {
	case user == "":
		return errors.New("expected a user name, got none")
	case len(user) > MaxName:
		return fmt.Errorf("expected a user name of at most %d bytes, got %d", MaxName, len(user))
	case !utf8.ValidString(user):
		return errors.New("expected a user name in UTF-8, got other bytes")
	case strings.ContainsFunc(user, unicode.IsControl):
		return errors.New("expected a user name without control characters, got some")
	case strings.Contains(user, ":"):
		return errors.New("expected a user name without a colon, which ends it in Basic credentials, got one with")
	case strings.HasPrefix(user, byteOrderMark):
		return errors.New("expected a user name, got a byte order mark before it; save the file as UTF-8 without one")
	case strings.TrimSpace(user) != user:
		return errors.New("expected a user name without white space around it, got some")
	}
	return nil
}

const byteOrderMark = "\ufeff"

// Plain makes a table of one user whose password is given in plain, as in a
// Secret of type kubernetes.io/basic-auth. Only a keyed digest of the password
// stays in memory. A pair that CheckPlain refuses makes an empty table.
func Plain(user string, pass []byte) *Users {
	if CheckPlain(user, pass) != nil {
		return newUsers(nil)
	}
	h := plain{keyed.Of("plain", pass)}
	name := nameDigest(user)
	return newUsers([]*entry{{id: keyed.Of("entry", name[:], h.digest[:]), name: name, hash: h}})
}

// CheckPlain returns an error for a pair that Plain does not take: a name that
// is empty, over MaxName bytes, not UTF-8, with a colon, with control
// characters or with white space around it; a password that is empty, over
// MaxPassword bytes or with control characters, such as a trailing newline. The
// error repeats neither.
func CheckPlain(user string, pass []byte) error {
	if err := checkName(user); err != nil {
		return fmt.Errorf("password: username: %w", err)
	}
	if err := checkForm(pass, MaxPassword); err != nil {
		return fmt.Errorf("password: %w", err)
	}
	return nil
}

type plain struct{ digest keyed.Digest }

func (h plain) match(pass []byte) bool {
	d := keyed.Of("plain", pass)
	return hmac.Equal(d[:], h.digest[:])
}

func (plain) longest() int { return MaxPassword }

func (plain) task() work.Task { return work.Task{} } // it is not scheduled
