package password

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/keyed"
)

const (
	// MaxFile is the largest htpasswd file in bytes.
	MaxFile = 1 << 20
	// MaxUsers is the largest number of entries in it, refused ones included.
	MaxUsers = 10_000

	tooLarge = "spread the users over several files, each with a method, or let an identity provider have them"
)

// ParseHtpasswd reads an htpasswd file: lines of user:hash, blank lines, and
// comments whose first character is #. Hashes may be
//
//   - bcrypt: $2a$, $2b$, $2y$ of cost 4 to 14;
//   - argon2id: a PHC string of version 19 with at most 64 MiB of memory, 10
//     passes and 16 lanes, a salt of 8 to 64 and a tag of 16 to 64 bytes;
//   - sha512-crypt: $6$ with 1,000 to 1,000,000 rounds (5,000 if not given).
//
// The bounds keep each check within about a second of one core. A line with
// another hash, plain text, a bad name (see CheckPlain) or a carriage return at
// its end is a Problem, and the other lines count. A name that occurs twice is
// a Problem in each of its lines. Problems have Line and Message, and come in
// the order of lines; they never repeat the hash, or a line that may be one. The
// last one says how many there are beyond the bound of package authz.
//
// The error is for a file over MaxFile bytes or with more than MaxUsers
// entries; then there is no table. A table may be empty, as the file may be.
func ParseHtpasswd(data []byte) (*Users, []authz.Problem, error) {
	if len(data) > MaxFile {
		return nil, nil, fmt.Errorf("password: expected an htpasswd file of at most %d bytes, got %d; %s", MaxFile, len(data), tooLarge)
	}
	lines, err := splitLines(data)
	if err != nil {
		return nil, nil, err
	}
	count := map[string]int{}
	for _, l := range lines {
		if l.colon {
			count[l.user]++
		}
	}
	var entries []*entry
	var problems authz.Problems
	for _, l := range lines {
		e, err := l.entry(count[l.user])
		if err != nil {
			problems.Add(authz.Problem{Position: authz.Position{Line: l.number}, Message: err.Error()})
			continue
		}
		entries = append(entries, e)
	}
	return newUsers(entries), problems.All(), nil
}

// line is one entry as it was written.
type line struct {
	number  int
	user    string
	encoded string
	colon   bool
}

func splitLines(data []byte) (lines []line, err error) {
	number, entries := 0, 0
	for text := range bytes.Lines(data) {
		number++
		text = bytes.TrimSuffix(text, []byte("\n"))
		if len(bytes.TrimSpace(text)) == 0 || text[0] == '#' {
			continue
		}
		if entries++; entries > MaxUsers {
			continue
		}
		user, encoded, colon := strings.Cut(string(text), ":")
		lines = append(lines, line{number, user, encoded, colon})
	}
	if entries > MaxUsers {
		return nil, fmt.Errorf("password: expected an htpasswd file of at most %d entries, got %d; %s", MaxUsers, entries, tooLarge)
	}
	return lines, nil
}

// entry checks the line; its user name occurs in count lines.
func (l line) entry(count int) (*entry, error) {
	if !l.colon {
		return nil, errors.New("expected user:hash, got a line without a colon")
	}
	if err := checkName(l.user); err != nil {
		return nil, err
	}
	if count > 1 {
		return nil, fmt.Errorf("expected a user name once, got it %d times; all of them are refused", count)
	}
	h, err := parseHash(l.encoded)
	if err != nil {
		return nil, err
	}
	name := nameDigest(l.user)
	return &entry{id: keyed.Of("entry", name[:], []byte(l.encoded)), name: name, hash: h}, nil
}
