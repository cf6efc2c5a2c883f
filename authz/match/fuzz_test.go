package match

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// FuzzLookupAgreesWithModel spells entries and a request from a small
// vocabulary, so that they meet often, and compares the index with the model.
func FuzzLookupAgreesWithModel(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		seed := make([]byte, 40+random.IntN(200))
		for i := range seed {
			seed[i] = byte(random.Uint32())
		}
		f.Add(seed)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		spelled := speller(data)
		opts := Options{Regex: pick(&spelled, OldestFirst, LongestFirst, LongestBeforePrefixes), EnvoyGateway: pick(&spelled, false, true)}
		host, v := spelled.request()
		var lines []string
		var entries []Entry
		for len(spelled) > 0 && len(entries) < 40 {
			lines = append(lines, spelled.entry())
			e := entry(t, lines[len(lines)-1])
			e.Rule = pick(&spelled, 0, 0, 0, 1)
			entries = append(entries, e)
		}

		x, conflicts, err := Build(entries, opts)
		if err != nil {
			t.Fatal(err)
		}
		if want := modelConflicts(entries, opts); !slices.Equal(conflicts, want) {
			t.Errorf("conflicts: got %v, want %v", conflicts, want)
		}
		if got, want := outcome(x.Lookup(host, v)), modelLookup(entries, opts, host, v); got != want {
			t.Errorf("Lookup: got %d, want %d", got, want)
		}
		if got, want := outcome(x.LookupAll(host, v)), modelLookupAll(entries, opts, host, v); got != want {
			t.Errorf("LookupAll: got %d, want %d", got, want)
		}
		if x.LookupAll(host, v).Usual {
			if best, late := x.Respelled(host, v); len(best) > 0 || late || len(Variants(v.Path)) > 0 {
				t.Errorf("expected no other reading of a usual path, got %d others and %q", len(best), Variants(v.Path))
			}
		}
		if t.Failed() {
			t.Logf("%s %s %s ?%s %v, options %+v, entries:\n%s", v.Method, host, v.Path, v.Query, v.Headers, opts, strings.Join(lines, "\n"))
		}
	})
}

// speller turns bytes into choices.
type speller []byte

func pick[T any](s *speller, choices ...T) T {
	if len(*s) == 0 {
		return choices[0]
	}
	n := int((*s)[0])
	*s = (*s)[1:]
	return choices[n%len(choices)]
}

func (s *speller) entry() string {
	line := pick(s, "0", "1", "2", "3") + pick(s, " x.a.test", " x.a.test", " *.a.test", " *.test", " *", " a.test")
	line += pick(s, "", " prefix:/", " prefix:/a", " prefix:/a/", " prefix:/a/b", " exact:/a", " exact:/a/", " exact:/a/b", " exact:/a;b",
		" prefix:/%C3%A9", " regex:/a.*", " regex:/.*b", " regex:/[ab]/?", " regex:.*%.*")
	line += pick(s, "", "", " GET", " POST", " HEAD")
	line += pick(s, "", "", " header:h=1", " header:H=2", " header~:h=[12]*", " header:i=1")
	line += pick(s, "", "", " header:h=2", " header:i=1")
	line += pick(s, "", "", " query:q=1", " query:q=2", " query~:q=[12]*", " query:r=1")
	line += pick(s, "", "", " query:q=2", " query:r=1")
	return line
}

func (s *speller) request() (string, View) {
	host := pick(s, "x.a.test", "y.a.test", "z.y.a.test", "a.test", "b.test", "b.example", "", ".a.test", "*.a.test")
	v := View{
		Method: pick(s, "GET", "POST", "get", "HEAD"),
		Path: pick(s, "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/") +
			pick(s, "", "", "", "/b", ";b", "%62", "%2Fb", "%3b", "/%c3%a9", "é", "/%61/b"),
		Query: pick(s, "", "q=1", "q=2", "q", "%71=1", "q=%31", "q=%32", "r=1", "s=1&", "q+=1") +
			pick(s, "", "", "&q=1", "&q=2", "&r=1", "&r=2", "&q=1&r=2", "&&"),
	}
	v.Path = pick(s, v.Path, v.Path, v.Path, "/%C3%A9", "/%c3%a9", "*", "")
	h := headers{}
	if value := pick(s, "none", "none", "1", "2", "12", ""); value != "none" {
		h["h"] = value
	}
	if value := pick(s, "none", "1", "2"); value != "none" {
		h["i"] = value
	}
	v.Headers = h
	return host, v
}
