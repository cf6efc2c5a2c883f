package engine

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documented holds the examples of docs/troubleshooting.md to messages that conditions with these reasons had.
func documented(t *testing.T, messages map[string][]string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(\\w+)` \\|.*\\| `([^`]+)` \\|$").FindAllStringSubmatch(string(page), -1)
	if len(rows) < len(messages) {
		t.Errorf("expected %d reasons with an example, found %d", len(messages), len(rows))
	}
	for _, row := range rows {
		if !slices.ContainsFunc(messages[row[1]], func(m string) bool { return strings.Contains(m, row[2]) }) {
			t.Errorf("docs/troubleshooting.md: no condition here with reason %s says %q; these do: %q", row[1], row[2], messages[row[1]])
		}
	}
}
