package match

import (
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// Variants returns the other forms in which an upstream may read a path:
//
//   - the normal form of RFC 3986 6.2.2: characters that need no percent-encoding
//     in a segment are decoded, all others are encoded, hexadecimal digits are in
//     upper case (Envoy does not normalise, most upstreams do);
//   - the path as it was sent, and its normal form, with each segment cut at its
//     first ";", where servlet containers see path parameters.
//
// A normal path without ";" has no variants, and costs nothing. Nothing is
// decoded twice; "%2F" stays.
func Variants(path string) []string {
	if plain(path) {
		return nil
	}
	normal := normalise(path)
	var forms []string
	for _, form := range [...]string{normal, cutParameters(path), cutParameters(normal)} {
		if form != path && !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

// EveryReading asks about a path as it was sent and about each of its Variants.
// It returns the first answer that ask calls final, else the answer for the path
// as it was sent. agree is false if the answer for some variant is not the same.
func EveryReading[T any](path string, ask func(path string) (answer T, final bool), same func(a, b T) bool) (answer T, agree bool) {
	first, final := ask(path)
	if final {
		return first, true
	}
	for _, variant := range Variants(path) {
		other, final := ask(variant)
		if final {
			return other, true
		}
		if !same(first, other) {
			return other, false
		}
	}
	return first, true
}

func plain(path string) bool {
	for i := range len(path) {
		if c := path[i]; !pchar[c] && c != '/' || c == ';' {
			return false
		}
	}
	return true
}

func normalise(path string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(path)+8)
	for i := 0; i < len(path); i++ {
		c, encoded := authz.Unescape(path[i:])
		if encoded {
			i += 2
		} else {
			c = path[i]
		}
		switch {
		case pchar[c], c == '/' && !encoded:
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

func cutParameters(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// pchar holds the bytes a path segment may have as they are (RFC 3986 3.3).
var pchar = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" +
	"-._~" + "!$&'()*+,;=" + ":@")

func set(members string) (s [256]bool) {
	for i := range len(members) {
		s[members[i]] = true
	}
	return s
}
