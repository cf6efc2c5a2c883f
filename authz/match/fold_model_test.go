package match

import (
	"cmp"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// FuzzRespelledAgreesWithModel compares what a server finds that ignores letter case,
// and a final slash of Exact paths, with a model that looks at every entry.
func FuzzRespelledAgreesWithModel(f *testing.F) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		seed := make([]byte, 20+random.IntN(100))
		for i := range seed {
			seed[i] = byte(random.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		spelled := speller(data)
		opts := Options{Regex: pick(&spelled, OldestFirst, OldestFirst, LongestFirst, LongestBeforePrefixes)}
		v := View{
			Method: pick(&spelled, "GET", "POST", "HEAD"), ExactCase: pick(&spelled, false, false, true), Headers: headers{},
			Path: pick(&spelled, "/a", "/A", "/é", "/%C3%89", "/%c3%a9", "/x", "/%E2%84%AA", "/i", "/%C4%B1", "/%ff") + pick(&spelled, "", "", "/", "/b", "/B", "/B/", "b"),
		}
		var lines []string
		for len(spelled) > 0 && len(lines) < 20 {
			lines = append(lines, pick(&spelled, "0", "1", "2", "3")+" a.test "+
				pick(&spelled, "exact:", "prefix:", "prefix:")+pick(&spelled, "/a", "/A", "/a/b", "/A/b", "/a/", "/%C3%A9", "/%C3%89/b/", "/K", "/I", "/k/B", "/", "/%FF")+
				pick(&spelled, "", "", " GET", " HEAD", " POST"))
			if pattern := pick(&spelled, "", "", "", "/[A-Z]+", "/a/?", "/(?i)A.*", "/[^a]*", "/.*B"); pattern != "" {
				lines = append(lines, pick(&spelled, "0", "1", "2", "3")+" a.test regex:"+pattern+pick(&spelled, "", " POST"))
			}
		}
		entries := entriesOf(t, lines)
		x, _, err := Build(entries, opts)
		if err != nil {
			t.Fatal(err)
		}
		best, late := x.Respelled("a.test", v)
		if late {
			t.Fatal("late, without a time")
		}
		var got []int
		for _, c := range best {
			got = append(got, c.Entry())
		}
		slices.Sort(got)
		if want := modelRespelled(entries, opts, v); !slices.Equal(got, want) {
			t.Errorf("%s %s, exact case %v, options %+v: got %v, want %v of\n%s", v.Method, v.Path, v.ExactCase, opts, got, want, strings.Join(lines, "\n"))
		}
	})
}

// modelRespelled are the best entries, none where the one that Lookup finds leads as
// one of them does.
func modelRespelled(entries []Entry, opts Options, v View) (best []int) {
	for i, e := range entries {
		equal := func(o Entry) bool { return modelEqual(o, e, opts) }
		older := slices.ContainsFunc(entries[:i], func(o Entry) bool { return equal(o) && o.Owner <= e.Owner })
		younger := slices.ContainsFunc(entries[i+1:], func(o Entry) bool { return equal(o) && o.Owner < e.Owner })
		if !older && !younger && modelRespells(entries, opts, i, v) {
			best = append(best, i)
		}
	}
	slices.SortStableFunc(best, func(a, b int) int { return modelRank(entries, opts, a, b) })
	for n, i := range best {
		if modelRank(entries, opts, best[0], i) != 0 {
			best = best[:n]
			break
		}
	}
	found := modelLookup(entries, opts, "a.test", v)
	if slices.ContainsFunc(best, func(i int) bool { return modelSame(entries, i, found) }) {
		return nil
	}
	slices.Sort(best)
	return best
}

// modelRespells says whether an entry is for a request in the eyes of such a server.
func modelRespells(entries []Entry, opts Options, i int, v View) bool {
	m := entries[i].Match
	if m.Method != nil {
		get := opts.Regex == OldestFirst && *m.Method == gatewayv1.HTTPMethodGet && v.Method == "HEAD" && !modelHead(entries, opts, i)
		if string(*m.Method) != v.Method && !get {
			return false
		}
	}
	kind, value := modelPath(m)
	if v.ExactCase {
		return kind == gatewayv1.PathMatchExact && modelNoSlash(value) == modelNoSlash(v.Path)
	}
	path := modelFold(v.Path)
	switch kind {
	case gatewayv1.PathMatchExact:
		return modelNoSlash(modelFold(value)) == modelNoSlash(path)
	case gatewayv1.PathMatchPathPrefix:
		value = modelFold(value)
		return value == "/" || path == value || strings.HasPrefix(path, value+"/")
	case gatewayv1.PathMatchRegularExpression:
	}
	return modelValue("~"+value, v.Path) || regexp.MustCompile(`(?i)\A(?:`+value+`)\z`).MatchString(path)
}

// modelRank is modelCompare without the age, but among regular expressions of
// policies.
func modelRank(entries []Entry, opts Options, a, b int) int {
	xKind, xPath := modelPath(entries[a].Match)
	yKind, yPath := modelPath(entries[b].Match)
	rank := map[gatewayv1.PathMatchType]int{gatewayv1.PathMatchExact: 0, gatewayv1.PathMatchRegularExpression: 1, gatewayv1.PathMatchPathPrefix: 2}
	if opts.Regex == LongestFirst {
		rank[gatewayv1.PathMatchRegularExpression] = 3
	}
	length := 0
	switch {
	case rank[xKind] != rank[yKind]:
		return cmp.Compare(rank[xKind], rank[yKind])
	case xKind == gatewayv1.PathMatchRegularExpression && opts.Regex == OldestFirst:
		return cmp.Or(cmp.Compare(entries[a].Owner, entries[b].Owner), cmp.Compare(a, b))
	case xKind == gatewayv1.PathMatchRegularExpression:
		length = cmp.Compare(len(yPath), len(xPath))
	case xKind == gatewayv1.PathMatchPathPrefix:
		length = cmp.Compare(len(modelFold(yPath)), len(modelFold(xPath)))
	}
	method := func(i int) int {
		if entries[i].Match.Method != nil {
			return 0
		}
		return 1
	}
	return cmp.Or(length, method(a)-method(b))
}

func modelNoSlash(path string) string {
	if path == "/" {
		return path
	}
	return strings.TrimSuffix(path, "/")
}

// modelFold decodes what is beyond ASCII and folds each character, by the standard
// library's words.
func modelFold(path string) string {
	decoded, err := url.PathUnescape(path)
	if err != nil || strings.ContainsRune(decoded, '�') {
		return strings.ToLower(path)
	}
	return strings.Map(func(r rune) rune {
		r = unicode.ToLower(unicode.ToUpper(r))
		for f := unicode.SimpleFold(r); f < r; f = unicode.SimpleFold(f) {
			r = f
		}
		return unicode.ToLower(r)
	}, decoded)
}

func TestACharacterFoldsAsItsCapitalDoes(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		for _, other := range []rune{unicode.ToUpper(r), unicode.ToLower(r), unicode.ToTitle(r), unicode.SimpleFold(r), unicode.ToUpper(unicode.ToLower(r))} {
			if foldRune(r) != foldRune(other) {
				t.Errorf("%U and %U do not fold to one", r, other)
			}
		}
	}
}

// A tenant may have as many spellings of one path as it may have entries.
func TestOfManySpellingsOfOnePathEachIsFound(t *testing.T) {
	const bits = 12
	lines := make([]string, 1<<bits)
	for i := range lines {
		name := []byte("/abcdefghijkl")
		for bit := range bits {
			if i>>bit&1 == 1 {
				name[1+bit] -= 'a' - 'A'
			}
		}
		lines[i] = strings.Repeat("1", 1+i%3) + " a.test exact:" + string(name)
	}
	lines[77] += " POST"
	x := build(t, Options{}, lines...)
	for i, line := range lines {
		path := strings.TrimPrefix(strings.Fields(line)[2], "exact:")
		for method, want := range map[string]bool{"GET": i == 77, "POST": i%3 != 77%3} {
			best, _ := x.Respelled("a.test", View{Method: method, Path: path, Headers: headers{}})
			if len(best) > maxEquals || len(best) > 0 != want {
				t.Fatalf("%s %s: got %d others, wanted others: %v", method, path, len(best), want)
			}
		}
	}
	if best, _ := x.Respelled("a.test", View{Method: "GET", Path: "/ABCDEFGHIJKl/", Headers: headers{}}); len(best) != maxEquals {
		t.Errorf("of a spelling that no entry has: got %d entries, want %d", len(best), maxEquals)
	}
}
