package authz

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// readPath refuses every path that proxy and upstream could resolve
// differently, and returns what expressions see: the path decoded, each
// segment cut at its first ';' (some servers drop such parameters).
func readPath(raw string) (string, error) {
	if raw == "" || raw[0] != '/' {
		return "", bad("the path does not start with '/'")
	}
	decoded, err := decodePath(raw)
	if err != nil {
		return "", err
	}
	segments := strings.Split(decoded[1:], "/")
	for i, s := range segments {
		s, _, _ = strings.Cut(s, ";")
		switch {
		case s == "." || s == "..":
			return "", bad("the path has a dot segment")
		case s == "" && i < len(segments)-1:
			return "", bad("the path has an empty segment")
		}
		segments[i] = s
	}
	return "/" + strings.Join(segments, "/"), nil
}

// decodePath decodes once. What would make a second decoding, or another
// idea of separators, see something else is refused.
func decodePath(raw string) (string, error) {
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '#':
			return "", bad("the request target has a fragment")
		case c == '\\':
			return "", bad("the path has a backslash")
		case c <= ' ' || c == 0x7f:
			return "", bad("the path has a space or a control character")
		case c != '%':
			b.WriteByte(c)
			continue
		}
		d, ok := Unescape(raw[i:])
		switch {
		case !ok:
			return "", bad("the path has a malformed percent-encoding")
		case d == '/' || d == '\\':
			return "", bad("the path has an encoded slash or backslash")
		}
		b.WriteByte(d)
		i += 2
	}
	s := b.String()
	if encodedTwice(s) {
		return "", bad("the path is percent-encoded twice")
	}
	if !utf8.ValidString(s) {
		return "", bad("the decoded path is not UTF-8")
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "", bad("the path has a control character")
	}
	return s, nil
}

// encodedTwice says whether decoding once more would yield something else.
func encodedTwice(decoded string) bool {
	for i := range len(decoded) {
		if _, again := Unescape(decoded[i:]); again {
			return true
		}
	}
	return false
}

// Unescape decodes the percent-encoded byte at the start of s: three characters
// like "%2F". It is false if there is none.
func Unescape(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, ok1 := unhex(s[1])
	low, ok2 := unhex(s[2])
	return high<<4 | low, ok1 && ok2
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
