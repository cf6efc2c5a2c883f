package authz

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// MaxToken is the longest JWT in bytes.
const MaxToken = 16 << 10

// IsJWT says whether a credential has the form of a JWT: two or more dots, and a
// first part that decodes to the beginning of a JSON object. It decides
// leniently: a JWT with a blemish is a bad JWT, and no other kind of credential.
func IsJWT(raw string) bool {
	first, rest, _ := strings.Cut(raw, ".")
	if !strings.Contains(rest, ".") {
		return false
	}
	if len(first) > MaxToken {
		first = first[:MaxToken]
	}
	clean := make([]byte, 0, len(first))
	for i := range len(first) {
		switch c := first[i]; {
		case c == '+':
			clean = append(clean, '-')
		case c == '/':
			clean = append(clean, '_')
		case c == '=' || c <= ' ':
		default:
			clean = append(clean, c)
		}
	}
	clean = clean[:len(clean)-len(clean)%4+keep(len(clean)%4)]
	out := make([]byte, base64.RawURLEncoding.DecodedLen(len(clean)))
	n, _ := base64.RawURLEncoding.Decode(out, clean)
	out = bytes.TrimPrefix(out[:n], []byte("\xef\xbb\xbf"))
	out = bytes.TrimLeft(out, " \t\r\n")
	return len(out) > 0 && out[0] == '{'
}

// keep says how many of the last 0 to 3 characters can be decoded.
func keep(rest int) int {
	if rest == 1 {
		return 0
	}
	return rest
}
