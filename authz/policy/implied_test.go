package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
)

func numbered(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(prefix, i)
	}
	return out
}

func TestWhatIsImpliedIsAddedOnceAndInTheOrderOfThePolicy(t *testing.T) {
	implied := ImpliedBy(v1alpha1.ImpliedScopes{"b": {"y", "a"}, "a": {"x", "y", "b"}, "none": nil})
	for scopes, want := range map[string]string{
		"": "", "z": "z", "x": "x", "a": "a x y b", "b": "b y a", "b a": "b a x y", "a a": "a a x y b", "none": "none",
	} {
		if got := implied.holds(strings.Fields(scopes)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q: got %q", scopes, got)
		}
	}
}

func TestWithImpliedScopesAListCanStillBeRead(t *testing.T) {
	src := v1alpha1.ImpliedScopes{}
	for i := range 32 {
		src[fmt.Sprint("broad", i)] = numbered(fmt.Sprint("narrow", i, "-"), 32)
	}
	implied := ImpliedBy(src)
	for _, own := range []int{0, 31, 223, 224, 300, 5000} {
		scopes := slices.Concat(numbered("broad", 32), numbered("own", own))
		got := implied.holds(scopes)
		if want := max(len(scopes), maxHeld); len(got) != want || !slices.Equal(got[:len(scopes)], scopes) {
			t.Errorf("%d scopes became %d, expected %d that begin with them", len(scopes), len(got), want)
		}
	}
}

func TestOtherImpliedScopesAreOtherTexts(t *testing.T) {
	seen := map[string]bool{}
	for _, src := range []v1alpha1.ImpliedScopes{
		nil, {"a": nil}, {"a": {"b"}}, {"b": {"a"}}, {"a": {"b", "c"}}, {"a": {"c", "b"}}, {"a": nil, "b": nil}, {"a": {"b"}, "c": nil}, {"a": nil, "b": {"c"}},
	} {
		texts := strings.Join(Mapping{Implied: ImpliedBy(src)}.Texts(), "\x00")
		if seen[texts] {
			t.Errorf("%v has the texts of another", src)
		}
		seen[texts] = true
	}
}
