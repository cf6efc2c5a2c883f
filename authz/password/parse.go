package password

import (
	"errors"
	"fmt"
	"strings"
)

// The prefixes that htpasswd files are known to hold; first match wins. Without
// a parser the name says what was refused.
var kinds = []struct {
	prefix string
	name   string
	parse  func(encoded string) (hash, error)
}{
	{"$2a$", "", parseBcrypt},
	{"$2b$", "", parseBcrypt},
	{"$2y$", "", parseBcrypt},
	{"$2", "an old or broken bcrypt ($2$, $2x$)", nil},
	{"$argon2id$", "", parseArgon2id},
	{"$argon2", "argon2i or argon2d", nil},
	{"$6$", "", parseSHA512},
	{"$5$", "sha256-crypt ($5$)", nil},
	{"$apr1$", "MD5 ($apr1$)", nil},
	{"$1$", "MD5 ($1$)", nil},
	{"{SHA}", "SHA-1 ({SHA})", nil},
	{"{SSHA}", "SHA-1 ({SSHA})", nil},
	{"{PLAIN}", "plain text ({PLAIN})", nil},
	{"$", "another hash", nil},
	{"{", "another hash", nil},
}

// parseHash never repeats what it read, which may be a password.
func parseHash(encoded string) (hash, error) {
	switch {
	case encoded == "":
		return nil, errors.New("expected a hash, got none")
	case strings.HasSuffix(encoded, "\r"):
		return nil, errors.New(`expected the line to end in \n, got \r\n; save the file with Unix line ends`)
	case strings.TrimSpace(encoded) != encoded:
		return nil, errors.New("expected a hash without white space around it, got some")
	case strings.Contains(encoded, ":"):
		return nil, errors.New("expected user:hash, got another colon after the hash")
	}
	came := "crypt(3) or plain text"
	for _, kind := range kinds {
		if !strings.HasPrefix(encoded, kind.prefix) {
			continue
		}
		if kind.parse != nil {
			return kind.parse(encoded)
		}
		came = kind.name
		break
	}
	return nil, fmt.Errorf("expected bcrypt ($2a$, $2b$, $2y$), argon2id or sha512-crypt ($6$), got %s; make a new hash with: agentauth hash password", came)
}
