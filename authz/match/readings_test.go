package match

import (
	"slices"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

func TestVariantsOfAPath(t *testing.T) {
	for _, tc := range []struct {
		name, path string
		want       []string
	}{
		{"a normal path has none", "/v1/users/a-b._~!$&'()*+,=:@", nil},
		{"unreserved characters are decoded", "/%61d%6Din%7e", []string{"/admin~"}},
		{"sub-delimiters, colon and at sign are decoded", "/%21%24%26%27%28%29%2A%2b%2C%3d%3A%40", []string{"/!$&'()*+,=:@"}},
		{"other encoded characters stay", "/a%2Fb%20%25%3F", nil},
		{"hexadecimal digits become upper case", "/caf%c3%a9%2f", []string{"/caf%C3%A9%2F"}},
		{"characters that a path cannot have are encoded", "/{a}\xff", []string{"/%7Ba%7D%FF"}},
		{"what is decoded is decoded once", "/%2561", nil},
		{"a percent sign that encodes nothing is encoded", "/%zz%4%", []string{"/%25zz%254%25"}},
		{"each segment is cut at its first semicolon", "/a;b;c/d;e/f", []string{"/a/d/f"}},
		{"a segment of parameters only becomes empty", "/a/;b", []string{"/a/"}},
		{"an encoded semicolon cuts once decoded", "/a%3bb", []string{"/a;b", "/a"}},
		{"cut and decoded in every combination", "/%61;b", []string{"/a;b", "/%61", "/a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Variants(tc.path); !slices.Equal(got, tc.want) {
				t.Errorf("Variants(%q): got %q, want %q", tc.path, got, tc.want)
			}
		})
	}
}

func TestEveryReadingOfAPathIsAskedAboutUntilTwoDifferOrOneIsFinal(t *testing.T) {
	const path = "/%61;b" // has the variants /a;b, /%61 and /a
	for _, tc := range []struct {
		name, final string
		answers     map[string]int
		want        int
		agree       bool
		asked       []string
	}{
		{"all agree", "", nil, 0, true, []string{path, "/a;b", "/%61", "/a"}},
		{"one differs", "", map[string]int{"/%61": 7}, 7, false, []string{path, "/a;b", "/%61"}},
		{"the path as sent is final", path, map[string]int{path: 7}, 7, true, []string{path}},
		{"a variant is final", "/a;b", map[string]int{"/a;b": 7}, 7, true, []string{path, "/a;b"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var asked []string
			got, agree := EveryReading(path, func(p string) (int, bool) {
				asked = append(asked, p)
				return tc.answers[p], p == tc.final
			}, func(a, b int) bool { return a == b })
			if got != tc.want || agree != tc.agree || !slices.Equal(asked, tc.asked) {
				t.Errorf("got %d %t after %q", got, agree, asked)
			}
		})
	}
}

// FuzzVariantsAreReadingsOfThePath holds that normalising changes no byte the
// upstream decodes, and is done once; and that no variant repeats another.
func FuzzVariantsAreReadingsOfThePath(f *testing.F) {
	for _, seed := range []string{"/", "/%61;b/c", "/%zz%", "/caf%c3%a9", "/café", "/%2561%2f", "/%%36%31", "/a//;/b;c;d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		normal := normalise(path)
		if got := normalise(normal); got != normal {
			t.Errorf("normalised twice: %q, then %q", normal, got)
		}
		if got, want := percentDecode(normal), percentDecode(path); got != want {
			t.Errorf("%q reads %q, normalised %q", path, want, got)
		}
		seen := []string{path}
		for _, v := range Variants(path) {
			if slices.Contains(seen, v) {
				t.Errorf("%q twice among the forms of %q", v, path)
			}
			seen = append(seen, v)
		}
		if !slices.Contains(seen, normal) || !slices.Contains(seen, cutParameters(normal)) || !slices.Contains(seen, cutParameters(path)) {
			t.Errorf("%q lacks a form: %q", path, seen)
		}
	})
}

// percentDecode is decode without the plus sign, which in a path is itself.
func percentDecode(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		if c, ok := authz.Unescape(s[i:]); ok {
			b, i = append(b, c), i+2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}
