package match

import (
	"regexp"
	"strings"
	"testing"
)

func TestAPatternThatMatchesNoTextIsKnown(t *testing.T) {
	for _, c := range []struct {
		pattern string
		of      Alphabet
		never   bool
	}{
		{`v1/.*`, Paths, true}, {`^v1`, Paths, true}, {`[a-z/]+`, Paths, false}, {`[a-z]+`, Paths, true}, {`(v1|v2)/.*`, Paths, true},
		{`(v1|/v2)/.*`, Paths, false}, {`/v1/.*`, Paths, false}, {`^/v1$`, Paths, false}, {`.*`, Paths, false}, {`.+`, Paths, false}, {``, Paths, true},
		{`^$`, Paths, true}, {`/v1$/x`, Paths, true}, {`/v1^/x`, Paths, true}, {`(?m)/v1$/x`, Paths, true}, {`/v1\?x=.*`, Paths, true}, {`/v1(\?.*)?`, Paths, false},
		{`/a b`, Paths, true}, {`/a\sb`, Paths, true}, {`/a#b`, Paths, true}, {`/a%20b`, Paths, false}, {`/ä`, Paths, false}, {`/a\\b`, Paths, false},
		{`https://api\.example\.com/.*`, Paths, true}, {`(?i)/V1`, Paths, false}, {`(?i)V1`, Paths, true}, {`\/v1`, Paths, false}, {`/\bv1`, Paths, false},
		{`[^/].*`, Paths, true}, {`[^a].*`, Paths, false}, {`/?v1`, Paths, false}, {`\A/v1\z`, Paths, false}, {`[^\x00-\x{10FFFF}]`, Paths, true}, {`[*]/.*`, Paths, true},
		{`a$b`, Fields, true}, {`a\nb`, Fields, true}, {`a b`, Fields, false}, {``, Fields, false}, {`^a^b`, Fields, true},
		{`a\nb`, Params, false}, {`a$b`, Params, true}, {`(?m)a$\nb`, Params, false}, {`.*`, Params, false},
		{strings.Repeat("a", MaxPattern+1), Paths, false}, {`(`, Paths, false},
	} {
		if got := NeverMatches(c.pattern, c.of); got != c.never {
			t.Errorf("%s: expected %v, got %v", c.pattern, c.never, got)
		}
	}
}

// FuzzNeverMatches holds what is never to be matched against the matcher.
func FuzzNeverMatches(f *testing.F) {
	for _, pattern := range []string{`/v1$|x`, `(?m)^/a$`, `\b/`, `(?i)/K`, `/[^a-z]{2}`, `()*/|a`, `/a*?$`} {
		f.Add(pattern, "/v1")
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '?' || r == '#' }) {
			return
		}
		re, err := compileRegex(pattern)
		if err == nil && re.regex.MatchString(path) && NeverMatches(pattern, Paths) {
			t.Errorf("%q matches %q, and is said to match nothing", regexp.MustCompile(pattern), path)
		}
	})
}
