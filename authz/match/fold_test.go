package match

import (
	"strings"
	"testing"
)

// respelled are the owners of the best entries, "" if they are as Lookup says.
func respelled(t *testing.T, x *Index, line string, exactCase bool) string {
	t.Helper()
	host, v := request(line)
	v.ExactCase = exactCase
	best, late := x.Respelled(host, v)
	if late {
		t.Fatalf("%s: late", line)
	}
	var owners []string
	for _, c := range best {
		owners = append(owners, string(rune('0'+c.Owner())))
	}
	return strings.Join(owners, " ")
}

func TestAServerThatIgnoresLetterCaseFindsAnotherEntry(t *testing.T) {
	x := build(t, Options{},
		"0 a.test", "1 a.test prefix:/admin", "2 a.test exact:/secret", "3 a.test exact:/dir/", "4 a.test regex:/v(1|2)/root.*",
		"5 a.test prefix:/Caf%C3%89", "6 a.test regex:/[A-Z]+x", "7 a.test prefix:/reports GET", "8 a.test prefix:/admin/Open")
	for line, want := range map[string]string{
		"GET a.test/admin": "", "GET a.test/ADMIN": "1", "GET a.test/Admin/x": "1", "GET a.test/administration": "", "GET a.test/ADMINISTRATION": "",
		"GET a.test/secret": "", "GET a.test/secret/": "2", "GET a.test/SECRET/": "2", "GET a.test/secret/x": "",
		"GET a.test/dir/": "", "GET a.test/dir": "3", "GET a.test/DIR": "3", "GET a.test/dir/x": "",
		"GET a.test/v1/root/x": "", "GET a.test/V1/ROOT": "4", "GET a.test/v3/ROOT": "",
		"GET a.test/Caf%C3%89": "", "GET a.test/caf%c3%a9/x": "5", "GET a.test/cafe": "",
		"GET a.test/ABx": "", "GET a.test/abx": "6", "GET a.test/a1x": "",
		"HEAD a.test/REPORTS": "7", "POST a.test/REPORTS": "",
		"GET a.test/admin/Open": "", "GET a.test/admin/open/x": "8", "GET a.test/ADMIN/OPEN": "8",
		"GET a.test/%e2%84%aa": "", "GET b.test/ADMIN": "",
	} {
		if got := respelled(t, x, line, false); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

func TestWhereLetterCaseMattersAFinalSlashDoesNot(t *testing.T) {
	x := build(t, Options{}, "0 a.test", "1 a.test prefix:/admin", "2 a.test exact:/secret", "3 a.test exact:/dir/", "4 a.test exact:/Both", "5 a.test exact:/Both/")
	for line, want := range map[string]string{
		"GET a.test/ADMIN": "", "GET a.test/SECRET": "", "GET a.test/secret/": "2", "GET a.test/dir": "3", "GET a.test/admin/": "",
		"GET a.test/Both": "", "GET a.test/Both/": "",
	} {
		if got := respelled(t, x, line, true); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

func TestAnEntryThatIsAmongTheBestIsNoOtherEntry(t *testing.T) {
	x := build(t, Options{}, "0 a.test prefix:/Admin", "1 a.test prefix:/admin", "2 a.test exact:/x", "3 a.test exact:/X", "4 a.test exact:/X POST")
	for line, want := range map[string]string{
		"GET a.test/Admin": "", "GET a.test/admin": "", "GET a.test/ADMIN": "0 1",
		"GET a.test/x": "", "GET a.test/X": "", "POST a.test/X": "", "POST a.test/x": "4",
	} {
		if got := respelled(t, x, line, false); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

func TestWhatFoldsToOne(t *testing.T) {
	for _, same := range [][]string{
		{"/admin", "/ADMIN", "/aDmIn"},
		{"/caf%C3%A9", "/CAF%C3%89", "/caf%c3%89", "/café", "/CAFÉ"},
		{"/k", "/K", "/%E2%84%AA"}, // the Kelvin sign
		{"/a%2Fb", "/A%2fB"},
		{"/%41", "/%41"},
		{"/100%", "/100%"},
		{"/%ff%C3", "/%FF%c3"},
	} {
		for _, path := range same {
			if got := fold(path); got != fold(same[0]) {
				t.Errorf("%s and %s: got %q and %q", same[0], path, fold(same[0]), got)
			}
		}
	}
	for _, differ := range [][2]string{{"/a%2Fb", "/a/b"}, {"/%41", "/a"}, {"/a", "/b"}, {"/%C3%A9", "/e"}} {
		if fold(differ[0]) == fold(differ[1]) {
			t.Errorf("%s and %s fold to one", differ[0], differ[1])
		}
	}
}

// What changes of an index in steps folds as one that is made at once.
func TestPathsThatAreGoneFoldToNothing(t *testing.T) {
	candidates, err := Prepare(entriesOf(t, []string{"0 a.test", "1 a.test prefix:/Admin", "2 a.test exact:/Dir/", "3 a.test regex:/[A-Z]+x", "4 a.test prefix:/admin"}))
	if err != nil {
		t.Fatal(err)
	}
	x, _ := New(Options{}).Update(nil, candidates)
	x, _ = x.Update(candidates[1:4], nil)
	for line, want := range map[string]string{"GET a.test/ADMIN": "4", "GET a.test/dir": "", "GET a.test/abx": "", "GET a.test/admin": ""} {
		if got := respelled(t, x, line, false); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
	h := x.get("a.test")
	if len(h.odd)+len(h.oddPrefix)+len(h.oddLengths)+h.cased != 0 {
		t.Errorf("got %v %v %v %d", h.odd, h.oddPrefix, h.oddLengths, h.cased)
	}
}

func TestARequestThatIsSpelledAsItsPolicyCostsNothingMore(t *testing.T) {
	x := build(t, Options{}, "0 a.test", "1 a.test prefix:/admin", "2 a.test exact:/secret", "3 a.test regex:/v[12]/x")
	_, v := request("GET a.test/admin/users")
	if n := testing.AllocsPerRun(100, func() { x.Respelled("a.test", v) }); n != 0 {
		t.Errorf("expected no allocation, got %v", n)
	}
}
