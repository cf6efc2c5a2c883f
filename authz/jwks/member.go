package jwks

import (
	"bytes"

	"github.com/go-json-experiment/json"
)

// Members of a JWK as providers write them: null, "" and [] are absent, whatever
// the type of the member.

// text is a member that is a string, "" if it is absent.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(value []byte) error { return unlessAbsent(value, (*string)(t)) }

// texts is a member that is a list of strings, empty if it is absent.
type texts []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *texts) UnmarshalJSON(value []byte) error { return unlessAbsent(value, (*[]string)(t)) }

// present says whether a member is there. Its value is not kept.
type present bool

// UnmarshalJSON implements json.Unmarshaler.
func (p *present) UnmarshalJSON(value []byte) error {
	*p = present(!absent(value))
	return nil
}

func unlessAbsent[T any](value []byte, into *T) error {
	if absent(value) {
		return nil
	}
	return json.Unmarshal(value, into)
}

// absent reports whether a JSON value says that there is none.
func absent(value []byte) bool {
	switch string(value) {
	case "null", `""`:
		return true
	}
	inner, list := bytes.CutPrefix(value, []byte("["))
	return list && string(bytes.TrimLeft(inner, " \t\r\n")) == "]"
}
