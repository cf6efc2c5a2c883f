package jwks

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxBytes = 1 << 20
	maxKeys  = 256
)

// Skipped is a key that is not used, and why.
type Skipped struct {
	// Index is its place in the set, from 0.
	Index int

	// ID is its `kid`, if that could be read, cut at 64 bytes. It is the
	// provider's text: for a log, not for a status.
	ID string

	// Reason is a fixed text of this package.
	Reason string
}

// Parse reads a JWK Set: at most 1 MiB and 256 keys, no duplicate names at any
// depth, nothing after it. Keys that cannot verify a signature here are
// skipped; a set without any other key is an error. No error and no reason
// repeats what was read.
func Parse(data []byte) (keys []Key, skipped []Skipped, err error) {
	if len(data) > maxBytes {
		return nil, nil, fmt.Errorf("the key set is %d bytes, at most %d are read", len(data), maxBytes)
	}
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, nil, malformed("a JWK Set", err)
	}
	if set.Keys == nil {
		return nil, nil, errors.New(`not a JWK Set: an object with a list "keys" was expected`)
	}
	if len(set.Keys) > maxKeys {
		return nil, nil, fmt.Errorf("the set has %d keys, at most %d are read", len(set.Keys), maxKeys)
	}
	for i, value := range set.Keys {
		key, err := parseKey(value)
		if err != nil {
			skipped = append(skipped, Skipped{i, clip(key.ID), err.Error()})
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, skipped, noUsableKey(skipped)
	}
	return keys, skipped, nil
}

func clip(id string) string {
	if len(id) > 64 {
		return strings.ToValidUTF8(id[:64], "") + "…"
	}
	return id
}

func noUsableKey(skipped []Skipped) error {
	if len(skipped) == 0 {
		return errors.New("the key set is empty")
	}
	first := skipped[0]
	return fmt.Errorf("none of the %d keys is usable; key %d: %s", len(skipped), first.Index, first.Reason)
}

// malformed says what is wrong with JSON; the library's own words quote it.
func malformed(what string, err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("not %s: a JSON object has a name twice", what)
	case errors.As(err, &syntax):
		return fmt.Errorf("not %s: malformed JSON at byte %d", what, syntax.ByteOffset)
	}
	return fmt.Errorf("not %s: the JSON has other members or types", what)
}
