package authz

import (
	"os"
	"strings"
	"testing"
)

func TestEveryFieldThatIsNotSingleIsDocumented(t *testing.T) {
	docs, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(docs), "### Headers that came more than once")
	section, _, _ = strings.Cut(section, "\n## ")
	lists, others, _ := strings.Cut(section, "Without [`encode_raw_headers`]")
	for name, form := range forms {
		part := others
		if form == list {
			part = lists
		}
		if !strings.Contains(part, "`"+name+"`") {
			t.Errorf("docs/api.md does not say of %s what its commas mean", name)
		}
		if name != Lower(name) || Alias(name) != name {
			t.Errorf("%s is not in lower case, or not its own alias", name)
		}
	}
	for quoted := range strings.SplitSeq(lists[strings.Index(lists, "Fields that are lists"):], "`") {
		if quoted != "" && ValidFieldName(quoted) && strings.Contains("abcdefghijklmnopqrstuvwxyz", quoted[:1]) && forms[quoted] != list && !strings.Contains(quoted, " ") {
			t.Errorf("docs/api.md calls %s a list", quoted)
		}
	}
}

func TestAReadingSaysWhatReadersDifferIn(t *testing.T) {
	for name, c := range map[string]struct {
		joined bool
		fields []Header
		ask    string
		want   Reading
	}{
		"nothing":                 {false, nil, "x-a", Reading{}},
		"one field":               {false, []Header{{"X-A", "1"}}, "x-a", Reading{Value: "1", Came: true}},
		"one empty field":         {false, []Header{{"X-A", ""}}, "x-a", Reading{Came: true}},
		"a comma":                 {false, []Header{{"x-a", "1,2"}}, "x-a", Reading{Value: "1,2", Came: true}},
		"a comma, joined":         {true, []Header{{"x-a", "1,2"}}, "x-a", Reading{Value: "1,2", Came: true, Repeated: true}},
		"two fields":              {false, []Header{{"x-a", "1"}, {"x-a", "2"}}, "x-a", Reading{Value: "1,2", Came: true, Repeated: true}},
		"a list":                  {true, []Header{{"accept", "1"}, {"Accept", "2"}}, "accept", Reading{Value: "1,2", Came: true}},
		"cookies":                 {false, []Header{{"cookie", "a=1"}, {"cookie", "b=2"}}, "cookie", Reading{Value: "a=1; b=2", Came: true}},
		"an alias alone":          {false, []Header{{"X_A", "1"}}, "x-a", Reading{Aliased: true}},
		"an alias beside":         {false, []Header{{"X_A", "1"}, {"x-a", "2"}}, "x-a", Reading{Value: "2", Came: true, Aliased: true}},
		"by the alias":            {false, []Header{{"X_A", "1"}}, "x_a", Reading{Value: "1", Came: true}},
		"by another alias":        {false, []Header{{"X_A", "1"}}, "x.a", Reading{Aliased: true}},
		"by an alias of the name": {false, []Header{{"x-a", "1"}}, "x_a", Reading{Aliased: true}},
		"a date":                  {true, []Header{{"date", "Sun, 06 Nov 1994 08:49:37 GMT"}}, "date", Reading{Value: "Sun, 06 Nov 1994 08:49:37 GMT", Came: true}},
		"two dates":               {true, []Header{{"date", "Sun, 6,Mon, 7"}}, "date", Reading{Value: "Sun, 6,Mon, 7", Came: true, Repeated: true}},
		"a text, joined":          {true, []Header{{"user-agent", "a, b"}}, "user-agent", Reading{Value: "a, b", Came: true}},
		"two texts":               {true, []Header{{"user-agent", "a"}, {"user-agent", "b"}}, "user-agent", Reading{Value: "a,b", Came: true, Repeated: true}},
	} {
		r := read(t, func(raw *Raw) { raw.Headers, raw.Joined = c.fields, c.joined })
		if got := r.Read(c.ask); got != c.want {
			t.Errorf("%s: expected %+v, got %+v", name, c.want, got)
		}
	}
}

func TestLettersAreFoldedAsASCIIAfterNamesWereChecked(t *testing.T) {
	for name, h := range map[string]Header{
		"the sign of Kelvin": {"x-\u212Aind", "v"}, "a long s": {"\u017Fet", "v"}, "a dotted I": {"x-\u0130d", "v"},
		"a pseudo-header": {":\u017Fcheme", "https"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, withHeaders(h)) })
	}
	t.Run("a scheme", func(t *testing.T) { refused(t, withHeaders(Header{":scheme", "http\u017F"})) })
	if r := read(t, func(raw *Raw) { raw.Scheme = "HTTP\u017F" }); r.Scheme != "http\u017F" {
		t.Errorf("got the scheme %q", r.Scheme)
	}
	for _, s := range []string{"", "abc", "x-1", "é", "\u212A"} {
		if got := Lower(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	if Lower("aB\u212AZ") != "ab\u212Az" || !EqualFold("HTTPS", "https") || EqualFold("http\u017F", "https") || EqualFold("a", "ab") || EqualFold("[", "{") {
		t.Error("letters are folded in another way than A to Z")
	}
}

func TestAParameterIsAnAlternateOfWhatSomeServersReadItAs(t *testing.T) {
	for name, of := range map[string][]string{
		"a[]": {"a"}, "a[0]": {"a"}, "a[b]": {"a"}, "a[b][c]": {"a", "a[b]", "a[b][]"}, "a[": {"a", "a_"}, "[a]": {"a"}, "]a": {"a"}, "a]": {"a"},
		"[[a]": {"a"}, "a.b": {"a_b"}, "a b": {"a_b"}, "a[b": {"a", "a_b"}, " a": {"a"}, "  a[]": {"a"}, "a": {"a[]", "[a]", " a"}, "a_b": {"a.b", "a b"},
	} {
		for _, n := range of {
			if !IsAlternate(name, n) {
				t.Errorf("%q is read as %q", name, n)
			}
			q, err := parseQuery(nil, strings.ReplaceAll(name, " ", "+")+"=1&other=2")
			if err != nil {
				t.Fatal(err)
			}
			if !q[0].AlternateOf(n) || !q.Alternates().Have(n) && hasOdd(name) {
				t.Errorf("the parameter %q is read as %q", name, n)
			}
		}
	}
	for name, of := range map[string][]string{
		"a": {"a", "b", "ab", ""}, "ab[]": {"a", "b"}, "a[b]": {"a[b]", "b", "a[c]", "a[bc]"}, "a.b": {"a", "b", "a[b]"}, "": {"a"}, "[]": {"a", ""}, "A[]": {"a"},
	} {
		for _, n := range of {
			q := Query{{RawName: name, Name: name}}
			if IsAlternate(name, n) || q.Alternates().Have(n) {
				t.Errorf("%q is not read as %q", name, n)
			}
		}
	}
}

func TestTheAlternatesOfADeepNameAreBounded(t *testing.T) {
	q, err := parseQuery(nil, strings.Repeat("[a]", 20_000)+"=1&b=2")
	if err != nil {
		t.Fatal(err)
	}
	all := q.Alternates()
	if len(all.by) > maxParts+2 || !all.Have("a") || all.Have("b") || !all.Have(strings.Repeat("[a]", maxParts+1)) {
		t.Errorf("got %d alternates", len(all.by))
	}
}
