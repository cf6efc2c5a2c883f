package authn

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/agentauth-dev/agentauth/authz"
)

// ErrNotToken says that a credential does not have the form of a JWT.
var ErrNotToken = errors.New("the credential is no JWT")

// Token is a JWT whose form is sound (RFC 7515 7.1, RFC 8725). Nothing in it
// is verified. Only these values are ever used: whatever a library might read
// differently from the same bytes has no effect.
type Token struct {
	Raw                string
	Algorithm, KeyID   string
	Type, Issuer       string // as sent, "" if there is none
	HasType, HasIssuer bool
	Claims             map[string]any

	// attempts are the keys that the signature was checked with.
	attempts []attempt
}

// ParseToken parses the compact form and nothing else: strict base64url, JSON
// without duplicate names or a byte order mark, header parameters of the
// right types. It returns ErrNotToken, or a *Rejected for what has the form of
// a JWT and is malformed: that is a bad credential whoever could own it.
func ParseToken(raw string) (*Token, error) {
	if !authz.IsJWT(raw) {
		return nil, ErrNotToken
	}
	if len(raw) > authz.MaxToken {
		return nil, malformed("a token has at most 16 KiB")
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, malformed("a signed token has three parts; encrypted tokens are not accepted")
	}
	header, err := decodeObject(parts[0])
	if err != nil {
		return nil, malformed("its header is no strict base64url of a JSON object with unique names")
	}
	claims, err := decodeObject(parts[1])
	if long := longList(0); errors.As(err, &long) {
		return nil, malformed(long.Error())
	}
	if err != nil {
		return nil, malformed("its payload is no strict base64url of a JSON object with unique names")
	}
	if !isBase64URL(parts[2]) {
		return nil, malformed("its signature is no strict base64url")
	}
	t := &Token{Raw: raw, Claims: claims}
	if err := t.readHeader(header); err != nil {
		return nil, err
	}
	if iss, ok := claims["iss"]; ok {
		if t.Issuer, t.HasIssuer = iss.(string); !t.HasIssuer {
			return nil, malformed("its iss is no string")
		}
	}
	return t, nil
}

// readHeader takes what the policy and the key need to know. jku, x5u, jwk and
// x5c are ignored: a token does not say which key to trust (RFC 8725 3.5).
func (t *Token) readHeader(h map[string]any) error {
	var ok bool
	if t.Algorithm, ok = h["alg"].(string); !ok {
		return malformed("its header has no alg")
	}
	if kid, present := h["kid"]; present {
		if t.KeyID, ok = kid.(string); !ok {
			return malformed("its kid is no string")
		}
	}
	if typ, present := h["typ"]; present {
		if t.Type, ok = typ.(string); !ok {
			return malformed("its typ is no string")
		}
		t.HasType = true
	}
	if _, present := h["crit"]; present {
		return malformed("its header has crit, and no extension is understood (RFC 7515 4.1.11)")
	}
	if _, present := h["b64"]; present {
		return malformed("its header has b64, which is not accepted (RFC 7797)")
	}
	if _, present := h["cty"]; present {
		return malformed("its header has cty: nested tokens are not accepted")
	}
	return nil
}

func malformed(detail string) error { return reject(authz.CredentialMalformed, detail) }

// decodeObject decodes base64url without padding, without white space and
// without trailing bits (RFC 7515 2), and the JSON object in it.
func decodeObject(part string) (map[string]any, error) {
	if !isBase64URL(part) {
		return nil, errNoObject
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, err
	}
	return parseObject(data)
}

// isBase64URL checks the alphabet: Go's decoder skips line breaks.
func isBase64URL(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			continue
		}
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil
}

// maxDepth is how deep a token's JSON may nest.
const maxDepth = 32

// MaxEntries is the largest list or object in a token. The cost of an expression
// is estimated for lists of this length.
const MaxEntries = 256

// longList is the error of a list or object with more entries.
type longList int

func (n longList) Error() string {
	return fmt.Sprintf("a list or object in its payload has %d entries, at most %d: let the provider put fewer in", int(n), MaxEntries)
}

var errNoObject = errors.New("no JSON object")

// parseObject reads one JSON object as RFC 8259 and I-JSON have it: unique
// names, valid UTF-8, nothing before or after it. A number is an int64 if it
// is written as a whole number that fits, else a float64.
func parseObject(data []byte) (map[string]any, error) {
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return nil, errNoObject
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(data)) // a Buffer is read in place, any other reader is copied
	v, err := parseValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return v.(map[string]any), nil
}

func parseValue(dec *jsontext.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("the JSON nests too deeply")
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
		if len(m) > MaxEntries {
			return nil, longList(len(m))
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
		if len(list) > MaxEntries {
			return nil, longList(len(list))
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
	return strconv.ParseFloat(literal, 64)
}
