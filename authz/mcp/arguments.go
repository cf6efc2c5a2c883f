package mcp

import (
	"errors"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// Errors of reading arguments. They hold nothing that came.
var (
	errHidden        = errors.New("the body of the call is not known")
	errArgumentsLong = errors.New("the arguments are longer than 64 KiB")
	errArgumentNames = errors.New("an object in the arguments has two names that differ in letter case only, which some servers take for one")
	errArgumentProto = errors.New("an object in the arguments has the name " + proto + ", whose members some servers take for its own")
	errArguments     = errors.New("the arguments cannot be read")
)

// HasArguments says whether the call came with arguments.
func (c *Call) HasArguments() bool { return len(c.arguments) > 0 }

// Arguments are those of a call of a tool, or for a prompt, as values of JSON: a
// number is an int64 if it is written as a whole number that fits, else a float64.
// What is null is absent. A call without arguments has an empty object of them.
func (c *Call) Arguments() (map[string]any, error) {
	if !c.wasRead {
		c.read, c.readErr = c.readAll()
		c.wasRead = true
	}
	return c.read, c.readErr
}

func (c *Call) readAll() (map[string]any, error) {
	switch {
	case c.hidden:
		return nil, errHidden
	case len(c.arguments) > MaxArguments:
		return nil, errArgumentsLong
	case len(c.arguments) == 0:
		return map[string]any{}, nil
	}
	dec := borrow(c.arguments)
	defer giveBack(dec, c.arguments)
	v, err := readValue(dec)
	members, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, errors.Join(err, errArguments)
	}
	return members, nil
}

// readValue reads a value that [parse] has seen: it is sound, and bounded in depth.
func readValue(dec *jsontext.Decoder) (any, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return nil, errArguments
	}
	switch token.Kind() {
	case '{':
		return readObject(dec)
	case '[':
		list := []any{}
		for dec.PeekKind() != ']' {
			v, err := readValue(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.ReadToken()
		return list, err
	case '"':
		return token.String(), nil
	case '0':
		return number(token.String())
	case 't', 'f':
		return token.Bool(), nil
	default:
		return nil, nil // null is the only kind left
	}
}

func readObject(dec *jsontext.Decoder) (map[string]any, error) {
	members, folded := map[string]any{}, map[string]bool{}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, errArguments
		}
		key := name.String()
		if key == proto {
			return nil, errArgumentProto
		}
		v, err := readValue(dec)
		if err != nil {
			return nil, err
		}
		f := fold(key)
		if folded[f] {
			return nil, errArgumentNames
		}
		if folded[f] = true; v != nil {
			members[key] = v
		}
	}
	_, err := dec.ReadToken()
	return members, err
}

// fold is equal for names that are equal without regard to letter case, as Unicode
// folds it: the least of the runes that fold to each other.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, name)
}

func number(literal string) (any, error) {
	if !strings.ContainsAny(literal, ".eE") {
		if n, err := strconv.ParseInt(literal, 10, 64); err == nil {
			return n, nil
		}
	}
	n, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return nil, errArguments
	}
	return n, nil
}
