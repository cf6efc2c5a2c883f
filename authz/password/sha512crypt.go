package password

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
)

// A million rounds take a quarter of a second for usual passwords, and up to a
// second for one of MaxPassword bytes.
const (
	minSHA512Rounds = shacrypt.IterationsMin // 1000
	maxSHA512Rounds = 1_000_000
)

// crypt(3) cuts longer salts and bends rounds into its range, the library does
// neither: only what both read alike is let in.
var sha512Form = regexp.MustCompile(`^\$6\$(?:rounds=([1-9][0-9]{0,9})\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}$`)

type sha512Hash struct{ digest algorithm.Digest }

func parseSHA512(encoded string) (hash, error) {
	form := sha512Form.FindStringSubmatch(encoded)
	if form == nil {
		return nil, fmt.Errorf("expected a sha512-crypt hash like $6$salt$hash or $6$rounds=5000$salt$hash, with 1 to 16 characters of salt and 86 of hash from ./0-9A-Za-z, got %d characters of another form", len(encoded))
	}
	if form[1] != "" {
		rounds, err := strconv.Atoi(form[1])
		if err != nil || rounds < minSHA512Rounds || rounds > maxSHA512Rounds {
			return nil, fmt.Errorf("expected sha512-crypt rounds from %d to %d, got %s", minSHA512Rounds, maxSHA512Rounds, form[1])
		}
	}
	d, err := shacrypt.DecodeVariant(shacrypt.VariantSHA512)(encoded)
	if err != nil {
		// The library's error may quote the hash.
		return nil, errors.New("expected a sha512-crypt hash, got one that does not decode")
	}
	return sha512Hash{d}, nil
}

func (h sha512Hash) match(pass []byte) bool { return h.digest.MatchBytes(pass) }

func (sha512Hash) longest() int { return MaxPassword }
