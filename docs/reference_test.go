package docs_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

// firstCells are the first cells of the rows of tables.
func firstCells(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if rest, ok := strings.CutPrefix(line, "|"); ok {
			cell, _, _ := strings.Cut(rest, "|")
			out = append(out, strings.TrimSpace(cell))
		}
	}
	return out
}

// quoted are the cells that are one word of code.
func quoted(cells []string) []string {
	var out []string
	for _, c := range cells {
		if word := strings.Trim(c, "`"); c == "`"+word+"`" && !strings.ContainsAny(word, " `") {
			out = append(out, word)
		}
	}
	return out
}

func TestEveryReasonHasItsRowInOrder(t *testing.T) {
	var want []string
	for _, r := range authz.Reasons() {
		want = append(want, string(r))
	}
	reasons, _, _ := strings.Cut(read(t, "reasons.md"), "\n## Warnings")
	if got := quoted(firstCells(reasons)); !slices.Equal(got, want) {
		t.Errorf("reasons.md: expected the rows %q, got %q", want, got)
	}
}

func TestEveryWarningHasItsRowInOrder(t *testing.T) {
	var want []string
	for _, l := range authz.Lints() {
		want = append(want, string(l))
	}
	_, warnings, _ := strings.Cut(read(t, "reasons.md"), "\n## Warnings")
	if got := quoted(firstCells(warnings)); !slices.Equal(got, want) {
		t.Errorf("reasons.md: expected the warnings %q, got %q", want, got)
	}
}

func TestEveryMetricHasItsRow(t *testing.T) {
	var want []string
	files, err := filepath.Glob(root + "/telemetry/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, m := range regexp.MustCompile(`(?:Name:\s*|NewDesc\()"(agentauth_\w+)"`).FindAllStringSubmatch(read(t, file), -1) {
			want = append(want, m[1])
		}
	}
	var got []string
	for _, word := range quoted(firstCells(read(t, "operations.md"))) {
		if strings.HasPrefix(word, "agentauth_") {
			got = append(got, word)
		}
	}
	if len(want) == 0 {
		t.Fatal("expected metrics in telemetry, found none")
	}
	sameSet(t, "operations.md: metrics", got, want)
}

var flagName = regexp.MustCompile(`--[a-z][a-z-]+`)

func TestEveryCommandAndFlagIsDescribed(t *testing.T) {
	sections := regexp.MustCompile(`(?m)^## agentauth `).Split(read(t, "cli.md"), -1)[1:]
	described := map[string][]string{}
	for _, s := range sections {
		name, body, _ := strings.Cut(s, "\n")
		described[name] = flagName.FindAllString(strings.Join(firstCells(body), " "), -1)
	}
	var names []string
	for name, flags := range described {
		names = append(names, name)
		long, _ := flagsOf(t, name)
		sameSet(t, "cli.md: flags of "+name, flags, slices.DeleteFunc(long, func(f string) bool { return f == "--help" }))
	}
	sameSet(t, "cli.md: commands", names, commands(t))
}

func help(t *testing.T, command ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), agentauth(), append(command, "--help")...).CombinedOutput()
	if err != nil {
		t.Fatalf("agentauth %q --help: %v\n%s", command, err, out)
	}
	return string(out)
}

func commands(t *testing.T, of ...string) []string {
	t.Helper()
	_, list, ok := strings.Cut(help(t, of...), "Available Commands:\n")
	if !ok {
		return nil
	}
	list, _, _ = strings.Cut(list, "\n\n")
	var out []string
	for line := range strings.SplitSeq(list, "\n") {
		if name := strings.Fields(line)[0]; name != "help" {
			out = append(out, name)
		}
	}
	return out
}

var flagLine = regexp.MustCompile(`(?m)^ +(?:(-\w), )?(--[a-z-]+)`)

// flagsOf are the flags of a command and of those below it: the long one, and the
// short one or "".
func flagsOf(t *testing.T, command ...string) (long, short []string) {
	t.Helper()
	_, list, _ := strings.Cut(help(t, command...), "\nFlags:\n")
	add := func(name, letter string) {
		if !slices.Contains(long, name) {
			long, short = append(long, name), append(short, letter)
		}
	}
	for _, m := range flagLine.FindAllStringSubmatch(list, -1) {
		add(m[2], m[1])
	}
	for _, below := range commands(t, command...) {
		names, letters := flagsOf(t, append(slices.Clone(command), below)...)
		for i, name := range names {
			add(name, letters[i])
		}
	}
	return long, short
}

func sameSet(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: expected %q, got %q", what, want, got)
	}
}
