package jwks

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/agentauth-dev/agentauth/authz"
)

const (
	maxBytes = 1 << 20
	maxKeys  = 256

	// maxMembers bounds the members and elements of a set, told by its commas. They
	// cost more to read than bytes do.
	maxMembers = 32 * maxKeys
)

// Parse reads a JWK Set: at most 1 MiB, 256 keys and 8,192 members and elements,
// no duplicate names at any depth, nothing after it. A key that cannot verify a signature here is not
// used, and a Warning with Field "keys[3]" says why, unless the key is one for
// certificates of SPIFFE, which belongs there; a set without a usable key is an
// error. Beyond the bound of package authz the last Warning says how many
// there are. No error and no warning repeats what was read.
func Parse(data []byte) (keys []Key, warnings []authz.Problem, err error) {
	if len(data) > maxBytes {
		return nil, nil, fmt.Errorf("the key set is %d bytes, at most %d are read; remove the keys that sign no more", len(data), maxBytes)
	}
	if n := bytes.Count(data, []byte{','}); n > maxMembers {
		return nil, nil, fmt.Errorf("the key set has some %d members and elements, at most %d are read", n, maxMembers)
	}
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, nil, malformed(err)
	}
	if set.Keys == nil {
		return nil, nil, errors.New(`not a JWK Set: an object with a list "keys" was expected`)
	}
	if len(set.Keys) > maxKeys {
		return nil, nil, fmt.Errorf("the set has %d keys, at most %d are read; remove those that sign no more", len(set.Keys), maxKeys)
	}
	var first error // why the first unusable key is not used
	var problems authz.Problems
	for i, value := range set.Keys {
		key, err := parseKey(value)
		if err == nil {
			keys = append(keys, key)
			continue
		}
		if first == nil {
			first = fmt.Errorf("key %d: %w", i, err)
		}
		if errors.Is(err, errCertificateKey) {
			continue
		}
		problems.Add(authz.Problem{
			Severity: authz.Warning,
			Field:    fmt.Sprintf("keys[%d]", i),
			Message:  fmt.Sprintf("key %d of the set is not used: %s", i, err),
		})
	}
	switch {
	case len(keys) > 0:
		untried(keys, &problems)
		return keys, problems.All(), nil
	case first == nil:
		return nil, nil, errors.New("the key set is empty")
	}
	return nil, problems.All(), fmt.Errorf("none of the %d keys is usable; %w", len(set.Keys), first)
}

// untried warns of keys without kid that no token is tried with.
func untried(keys []Key, problems *authz.Problems) {
	count := map[string]int{}
	for _, k := range keys {
		for _, alg := range k.Algorithms {
			if k.ID == "" {
				count[alg]++
			}
		}
	}
	for _, alg := range slices.Sorted(maps.Keys(count)) {
		if n := count[alg]; n > maxCandidates {
			problems.Add(authz.Problem{Severity: authz.Warning, Field: "keys",
				Message: fmt.Sprintf("%d keys without kid may verify %s, and a token is tried with the first %d of them: give each key a kid", n, alg, maxCandidates)})
		}
	}
}

// malformed describes an error of the JSON library, whose own text quotes the
// input.
func malformed(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return errors.New("not a JWK Set: a JSON object has a name twice")
	case errors.As(err, &syntax):
		return fmt.Errorf("not a JWK Set: malformed JSON at byte %d", syntax.ByteOffset)
	}
	return errors.New("not a JWK Set: the JSON has other members or types")
}
