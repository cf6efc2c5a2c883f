package authz

import "testing"

func TestUnescapeDecodesTheByteThatATextStartsWith(t *testing.T) {
	for s, want := range map[string]byte{"%00": 0, "%2F": '/', "%2fx": '/', "%aF%20": 0xaf, "%99": 0x99, "%%41": 0, "%+f": 0, "%g0": 0, "%0g": 0, "%:0": 0, "%@0": 0, "%`0": 0} {
		got, ok := Unescape(s)
		if valid := want != 0 || s == "%00"; ok != valid || ok && got != want {
			t.Errorf("%q: got %#x, %t", s, got, ok)
		}
	}
	for _, s := range []string{"", "%", "%2", "2F", "2F%2F", "x%2F"} {
		if got, ok := Unescape(s); ok {
			t.Errorf("%q: expected none, got %#x", s, got)
		}
	}
}
