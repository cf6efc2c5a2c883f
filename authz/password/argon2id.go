package password

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"golang.org/x/crypto/argon2"
)

// Each hash in progress holds its memory, one for each core. Memory times
// passes is what takes time: 1 GiB is about a second.
const (
	maxArgonMemory = 256 << 10 // KiB
	maxArgonTime   = 10
	maxArgonLanes  = 16
	maxArgonWork   = 1 << 20 // KiB times passes

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
		return nil, fmt.Errorf("expected argon2id memory (m) from %d (8 for each lane) to %d KiB, got %d", 8*lanes, maxArgonMemory, memory)
	case time > maxArgonTime:
		return nil, fmt.Errorf("expected argon2id passes (t) from 1 to %d, got %d", maxArgonTime, time)
	case memory*time > maxArgonWork:
		return nil, fmt.Errorf("expected argon2id memory times passes (m*t) of at most %d KiB, got %d", maxArgonWork, memory*time)
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
