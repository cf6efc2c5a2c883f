package password

import (
	"fmt"
	"regexp"
	"strconv"

	"golang.org/x/crypto/bcrypt"
)

// Cost 14 takes about a second; the cost doubles with each step.
const (
	minBcryptCost = bcrypt.MinCost // 4
	maxBcryptCost = 14
)

// hashCost is the cost of Hash: about 60 ms on one core. Envoy waits 200 ms for
// a check by default, and 12 would take longer than that.
const hashCost = 10

// 22 characters of salt and 31 of hash follow the cost. $2x$ marks hashes of an
// implementation with a bug, which we do not have.
var bcryptForm = regexp.MustCompile(`^\$2[aby]\$([0-9]{2})\$[./0-9A-Za-z]{53}$`)

type bcryptHash []byte

func parseBcrypt(encoded string) (hash, error) {
	form := bcryptForm.FindStringSubmatch(encoded)
	if form == nil {
		return nil, fmt.Errorf("expected a bcrypt hash of 60 characters like $2y$10$ and 53 of ./0-9A-Za-z, got %d characters of another form", len(encoded))
	}
	cost, _ := strconv.Atoi(form[1])
	if cost < minBcryptCost || cost > maxBcryptCost {
		return nil, fmt.Errorf("expected a bcrypt cost from %d to %d, got %d", minBcryptCost, maxBcryptCost, cost)
	}
	return bcryptHash(encoded), nil
}

func (h bcryptHash) match(pass []byte) bool { return bcrypt.CompareHashAndPassword(h, pass) == nil }

func (bcryptHash) longest() int { return MaxBcryptPassword }

// Hash makes a bcrypt hash ($2a$, cost 10, about 60 ms) of password for an
// htpasswd file. Refused are passwords that would never be verified: empty,
// over MaxBcryptPassword bytes, or with control characters (NUL, newlines).
func Hash(password []byte) (string, error) {
	if err := checkForm(password, MaxBcryptPassword); err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	encoded, err := bcrypt.GenerateFromPassword(password, hashCost)
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	return string(encoded), nil
}
