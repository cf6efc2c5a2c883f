package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// section is what stands under a heading.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, body, found := strings.Cut(text, "\n## "+heading+"\n")
	if !found {
		t.Fatalf("expected a heading %q", heading)
	}
	body, _, _ = strings.Cut(body, "\n## ")
	return body
}

// What each says for example is held to the truth beside the code that says it.
func TestEveryReasonOfAConditionHasItsRowInOrder(t *testing.T) {
	var want []string
	for _, m := range regexp.MustCompile(`Reason\w+ = "(\w+)"`).FindAllStringSubmatch(read(t, root+"/api/v1alpha1/conditions.go"), -1) {
		want = append(want, m[1])
	}
	if len(want) < 10 {
		t.Fatalf("expected at least 10 reasons in api/v1alpha1, found %q", want)
	}
	if got := quoted(firstCells(section(t, read(t, "troubleshooting.md"), "By a condition's reason"))); !slices.Equal(got, want) {
		t.Errorf("troubleshooting.md: expected the rows %q, got %q", want, got)
	}
}
