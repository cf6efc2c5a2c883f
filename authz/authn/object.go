package authn

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep a token's JSON may nest.
const maxDepth = 32

// badPart is what is wrong with a part of a token: it says nothing of what the
// part holds. Name is the name that occurs twice in an object.
type badPart struct{ problem, name string }

func (b *badPart) Error() string { return b.problem }

func bad(problem string) error { return &badPart{problem: problem} }

var (
	errPadded     = bad("is padded with '=', which no JWT is (RFC 7515 2): a load balancer of AWS writes such tokens (x-amzn-oidc-data), so let the caller send the access token of the provider itself")
	errStandard   = bad("is in base64 with '+' or '/', expected base64url (RFC 7515 2)")
	errAlphabet   = bad("has white space or other characters that base64url does not have (RFC 7515 2): it was changed on its way")
	errBits       = bad("is no whole base64url (RFC 7515 2): it was cut, or changed at its end")
	errNoObject   = bad("is no JSON object")
	errBOM        = bad("begins with a byte order mark, expected a JSON object")
	errJSON       = bad("is wrong JSON (RFC 8259)")
	errTrailing   = bad("has something behind its JSON object")
	errNested     = bad("nests more than 32 lists and objects")
	errBeyond     = bad("has a number beyond those of a double (RFC 7493 2.2)")
	byteOrderMark = []byte("\xef\xbb\xbf")
)

// decodeObject decodes base64url without padding, without white space and
// without trailing bits (RFC 7515 2), and the JSON object in it. The error is a
// *badPart.
func decodeObject(part string) (map[string]any, error) {
	data, err := decodeBase64URL(part)
	if err != nil {
		return nil, err
	}
	return parseObject(data)
}

// decodeBase64URL checks the alphabet itself: Go's decoder skips line breaks.
func decodeBase64URL(s string) ([]byte, error) {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_':
		case c == '=' && strings.Trim(s[i:], "=") == "":
			return nil, errPadded
		case c == '+' || c == '/':
			return nil, errStandard
		default:
			return nil, errAlphabet
		}
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errBits
	}
	return data, nil
}

// parseObject reads one JSON object as RFC 8259 and I-JSON have it: unique
// names, valid UTF-8, nothing before or after it. A number is an int64 if it
// is written as a whole number that fits, else a float64. A member that is null
// is nil: see dropNulls.
func parseObject(data []byte) (map[string]any, error) {
	if bytes.HasPrefix(data, byteOrderMark) {
		return nil, errBOM
	}
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return nil, errNoObject
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(data)) // a Buffer is read in place, any other reader is copied
	v, err := parseValue(dec, 0)
	if err == nil {
		if _, err = dec.ReadToken(); errors.Is(err, io.EOF) {
			return v.(map[string]any), nil
		}
		err = errTrailing
	}
	return nil, told(err)
}

// told is the badPart for an error of the decoder, which quotes what it read.
func told(err error) error {
	var known *badPart
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return &badPart{"has a name twice in one JSON object (RFC 7519 4): readers differ in which one they take", syntax.JSONPointer.LastToken()}
	}
	return errJSON
}

func parseValue(dec *jsontext.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errNested
	}
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case '{':
		m := map[string]any{}
		for dec.PeekKind() != '}' {
			name, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String()
			if m[key], err = parseValue(dec, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := dec.ReadToken()
		return m, err
	case '[':
		list := []any{}
		for dec.PeekKind() != ']' {
			v, err := parseValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.ReadToken()
		return list, err
	case '"':
		return tok.String(), nil
	case '0':
		return parseNumber(tok.String())
	case 't', 'f':
		return tok.Bool(), nil
	default:
		return nil, nil // null is the only kind left
	}
}

func parseNumber(literal string) (any, error) {
	if !strings.ContainsAny(literal, ".eE") {
		if n, err := strconv.ParseInt(literal, 10, 64); err == nil {
			return n, nil
		}
	}
	n, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return nil, errBeyond
	}
	return n, nil
}

// dropNulls removes what is null from objects: in a token it is absent. The
// entries of a list stay, since they have places.
func dropNulls(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if member == nil {
				delete(v, name)
			} else {
				dropNulls(member)
			}
		}
	case []any:
		for _, entry := range v {
			dropNulls(entry)
		}
	}
}
