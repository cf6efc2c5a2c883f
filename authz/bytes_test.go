package authz

import (
	"strings"
	"testing"
)

func TestALineBreakOrNULIsFoundAtEveryPlace(t *testing.T) {
	for size := range 70 {
		for at := range size {
			for c := range 256 {
				b := []byte(strings.Repeat("\t", size/2) + strings.Repeat("\xff", size-size/2))
				b[at] = byte(c)
				if s := string(b); breaks(s) != strings.ContainsAny(s, "\r\n\x00") {
					t.Fatalf("%q: got %t", s, breaks(s))
				}
			}
		}
	}
}

func TestTheClassesOfAByteAreThoseOfTheGrammars(t *testing.T) {
	for i := range 256 {
		c := byte(i)
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		for of, want := range map[class]bool{
			tokenByte: modelIsToken(c), methodByte: modelIsToken(c) && !(c >= 'a' && c <= 'z'), hostByte: modelIsHostByte(c), aliasByte: modelInAlias(c),
			upperByte: c >= 'A' && c <= 'Z', codedByte: c == '%' || c == '+', oddByte: strings.ContainsRune("[]. ", rune(c)), queryByte: c > ' ' && c != 0x7f,
			pathByte: letter || c > ' ' && c < 0x7f && !strings.ContainsRune(`%\#;`, rune(c)),
		} {
			if got := classes[c]&of != 0; got != want {
				t.Errorf("%q in the class %d: expected %t, got %t", c, of, want, got)
			}
		}
	}
}

func TestAPlainPathIsWhatEverybodyReadsAsItIs(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/a/b": true, "/.well-known/x": true, "/a/..b": true, "/a./b..": true, "/a/": true, "/A~!$&'()*+,=:@-_.b": true, "/...": false,
		"//": false, "/a//b": false, "/.": false, "/a/.": false, "/./a": false, "/a/..": false, "/../a": false, "/a;b": false, "/a%41": false, "/é": false, `/a\b`: false, "/a#": false,
	} {
		if isPlain(path) != want {
			t.Errorf("%s: expected %t", path, want)
		}
		if _, forms, _, err := modelReadPath(path); want && (err != nil || forms != 0) {
			t.Errorf("%s is not plain: %d, %v", path, forms, err)
		}
	}
}
