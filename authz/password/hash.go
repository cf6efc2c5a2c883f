package password

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/agentauth-dev/agentauth/authz/work"
)

// hash is a password hash with its parameters.
type hash interface {
	// match compares in constant time. Its cost does not depend on the answer.
	match(pass []byte) bool
	// longest is the longest password in bytes for which match is right.
	longest() int
	// task describes match to the scheduler. Its kinds are few, whatever is in
	// the files.
	task() work.Task
}

// kinds are the hashes that htpasswd files hold, by prefix; the first that fits
// counts. A kind without parse is refused by its name.
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

// parseHash reads a hash. Its errors do not repeat it: it may be a password.
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
	case strings.HasPrefix(encoded, "$$"):
		return nil, errors.New("expected a hash, got one whose dollar signs are doubled, as only a docker-compose file wants them; write each of them once")
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

func (h bcryptHash) task() work.Task { return work.Task{Kind: "bcrypt-" + string(h[4:6])} }

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

// MaxMemory is the most that one hash takes, in bytes: the second choice of
// RFC 9106 section 4. A scheduler of hashes has a budget of at least as much.
const MaxMemory = 64 << 20

// Memory times passes is what takes time: these take about half a second.
const (
	maxArgonMemory = MaxMemory >> 10 // KiB
	maxArgonTime   = 10
	maxArgonLanes  = 16

	minArgonSalt, maxArgonSalt = 8, 64
	minArgonTag, maxArgonTag   = 16, 64
)

// The PHC string of version 19 (RFC 9106's only one): parameters in their fixed
// order, no key id, no associated data. Whole numbers of at most 6 digits.
var argonForm = regexp.MustCompile(`^\$argon2id\$v=19\$m=([1-9][0-9]{0,5}),t=([1-9][0-9]{0,5}),p=([1-9][0-9]{0,5})\$([+/0-9A-Za-z]+)\$([+/0-9A-Za-z]+)$`)

type argonHash struct {
	memory, time uint32
	lanes        uint8
	salt, tag    []byte
}

func parseArgon2id(encoded string) (hash, error) {
	form := argonForm.FindStringSubmatch(encoded)
	if form == nil {
		return nil, errors.New("expected an argon2id hash like $argon2id$v=19$m=65536,t=3,p=4$salt$hash in base64 without padding, got another version or form")
	}
	memory, _ := strconv.Atoi(form[1])
	time, _ := strconv.Atoi(form[2])
	lanes, _ := strconv.Atoi(form[3])
	salt, errSalt := base64.RawStdEncoding.Strict().DecodeString(form[4])
	tag, errTag := base64.RawStdEncoding.Strict().DecodeString(form[5])
	switch {
	case lanes > maxArgonLanes:
		return nil, fmt.Errorf("expected argon2id parallelism (p) from 1 to %d, got %d", maxArgonLanes, lanes)
	case memory < 8*lanes || memory > maxArgonMemory: // the minimum: RFC 9106 section 3.1
		return nil, fmt.Errorf("expected argon2id memory (m) from %d (8 for each lane) to %d KiB, got %d; make the hash anew with m=%d,t=3,p=4 (RFC 9106) or less", 8*lanes, maxArgonMemory, memory, maxArgonMemory)
	case time > maxArgonTime:
		return nil, fmt.Errorf("expected argon2id passes (t) from 1 to %d, got %d", maxArgonTime, time)
	case errSalt != nil || len(salt) < minArgonSalt || len(salt) > maxArgonSalt:
		return nil, fmt.Errorf("expected an argon2id salt of %d to %d bytes in base64 without padding, got %d characters", minArgonSalt, maxArgonSalt, len(form[4]))
	case errTag != nil || len(tag) < minArgonTag || len(tag) > maxArgonTag:
		return nil, fmt.Errorf("expected an argon2id tag of %d to %d bytes in base64 without padding, got %d characters", minArgonTag, maxArgonTag, len(form[5]))
	}
	return argonHash{uint32(memory), uint32(time), uint8(lanes), salt, tag}, nil
}

func (h argonHash) match(pass []byte) bool {
	tag := argon2.IDKey(pass, h.salt, h.time, h.memory, h.lanes, uint32(len(h.tag)))
	return subtle.ConstantTimeCompare(tag, h.tag) == 1
}

func (argonHash) longest() int { return MaxPassword }

// task has a kind for each power of two of work: nobody makes many of them.
func (h argonHash) task() work.Task {
	return work.Task{
		Kind:   fmt.Sprintf("argon2id-%d-%d", bits.Len32(h.memory*h.time), h.lanes),
		Memory: int64(h.memory) << 10, Threads: int(h.lanes),
	}
}

// A million rounds take a quarter of a second for usual passwords, and up to a
// second for one of MaxPassword bytes.
const (
	minSHA512Rounds = shacrypt.IterationsMin // 1000
	maxSHA512Rounds = 1_000_000
)

// crypt(3) cuts longer salts and bends rounds into its range, the library does
// neither: only what both read alike is let in.
var sha512Form = regexp.MustCompile(`^\$6\$(?:rounds=([1-9][0-9]{0,9})\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}$`)

type sha512Hash struct {
	digest algorithm.Digest
	rounds int
}

func parseSHA512(encoded string) (hash, error) {
	form := sha512Form.FindStringSubmatch(encoded)
	if form == nil {
		return nil, fmt.Errorf("expected a sha512-crypt hash like $6$salt$hash or $6$rounds=5000$salt$hash, with 1 to 16 characters of salt and 86 of hash from ./0-9A-Za-z, got %d characters of another form", len(encoded))
	}
	rounds := shacrypt.IterationsDefaultOmitted
	if form[1] != "" {
		var err error
		rounds, err = strconv.Atoi(form[1])
		if err != nil || rounds < minSHA512Rounds || rounds > maxSHA512Rounds {
			return nil, fmt.Errorf("expected sha512-crypt rounds from %d to %d, got %s", minSHA512Rounds, maxSHA512Rounds, form[1])
		}
	}
	d, err := shacrypt.DecodeVariant(shacrypt.VariantSHA512)(encoded)
	if err != nil {
		// The library's error may quote the hash.
		return nil, errors.New("expected a sha512-crypt hash, got one that does not decode")
	}
	return sha512Hash{d, rounds}, nil
}

func (h sha512Hash) match(pass []byte) bool { return h.digest.MatchBytes(pass) }

func (sha512Hash) longest() int { return MaxPassword }

func (h sha512Hash) task() work.Task {
	return work.Task{Kind: fmt.Sprintf("sha512-crypt-%d", bits.Len(uint(h.rounds)))}
}
