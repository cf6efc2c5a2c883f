package password

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the longest user name in bytes.
const MaxName = 255

// Users is an immutable table of users and their hashes, for any number of
// goroutines. The zero table, and a nil one, know nobody.
type Users struct {
	entries []*entry
	byName  map[digest]*entry
}

// entry is one user. id is a digest of name and hash, so that whatever is
// remembered of an entry ends with it.
type entry struct {
	id   digest
	name digest
	hash hash
}

// hash is a password hash with its parameters.
type hash interface {
	// match compares in constant time. Its cost does not depend on the answer.
	match(pass []byte) bool
	// longest is the longest password in bytes for which match is right.
	longest() int
}

func newUsers(entries []*entry) *Users {
	users := &Users{entries: entries, byName: make(map[digest]*entry, len(entries))}
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

func nameDigest(user string) digest { return keyed("name", []byte(user)) }

// checkName tells what is wrong with a user name, without repeating it.
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
