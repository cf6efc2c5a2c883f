package authz

import (
	"reflect"
	"slices"
	"testing"
)

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

func TestTheQueryIsKeptAsSentAndAsDecoded(t *testing.T) {
	for name, c := range map[string]struct {
		sent string
		want Query
	}{
		"no query":                      {"/", nil},
		"an empty query":                {"/?", nil},
		"two parameters":                {"/?a=1&b=2", Query{{"a", "1", "a", "1", false, false}, {"b", "2", "b", "2", false, false}}},
		"one name twice":                {"/?a=1&a=2", Query{{"a", "1", "a", "1", false, false}, {"a", "2", "a", "2", false, false}}},
		"a name alone":                  {"/?a", Query{{"a", "", "a", "", false, false}}},
		"a value with equals":           {"/?a=b=c", Query{{"a", "b=c", "a", "b=c", false, false}}},
		"a plus is a space":             {"/?a+b=c+d", Query{{"a+b", "c+d", "a b", "c d", false, false}}},
		"an encoded name":               {"/?t%65nant=x", Query{{"t%65nant", "x", "tenant", "x", false, false}}},
		"an encoded ampersand":          {"/?a=1%26b=2", Query{{"a", "1%26b=2", "a", "1&b=2", false, false}}},
		"empty parts are no parameters": {"/?&&a=1&", Query{{"a", "1", "a", "1", false, false}}},
		"a semicolon may separate":      {"/?a=1;b=2&c", Query{{"a", "1;b=2", "a", "1;b=2", false, false}, {"b", "2", "b", "2", false, true}, {"c", "", "c", "", false, false}}},
		"a malformed value says so":     {"/?a=%zz", Query{{"a", "%zz", "a", "%zz", true, false}}},
		"a malformed name stays":        {"/?%zz=1", Query{{"%zz", "1", "%zz", "1", false, false}}},
		"a question mark":               {"/?a=?b", Query{{"a", "?b", "a", "?b", false, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(t, func(raw *Raw) { raw.Path = c.sent })
			if len(r.Query) != len(c.want) || len(c.want) > 0 && !reflect.DeepEqual(r.Query, c.want) {
				t.Errorf("expected %+v, got %+v", c.want, r.Query)
			}
		})
	}
	for name, sent := range map[string]string{"a space": "/?a b", "a NUL": "/?a\x00", "a line break": "/?a\nb", "a DEL": "/?\x7f"} {
		t.Run(name, func(t *testing.T) { refused(t, func(raw *Raw) { raw.Path = sent }) })
	}
}

func TestValuesAreFoundByTheirDecodedName(t *testing.T) {
	r := read(t, func(raw *Raw) { raw.Path = "/?tenant=mine&t%65nant=victim&Tenant=other" })
	got := slices.Collect(r.Query.Values("tenant"))
	if len(got) != 2 || got[0].Value != "mine" || got[1].Value != "victim" {
		t.Errorf("expected mine and victim, got %+v", got)
	}
	if got := slices.Collect(r.Query.Values("t%65nant")); got != nil {
		t.Errorf("expected nothing under the encoded name, got %+v", got)
	}
}
