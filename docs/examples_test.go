package docs_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/authz"
)

// run runs a line of shell in the checkout, with agentauth in its path, and
// returns all it printed.
func run(t *testing.T, line string) (out string, code int) {
	t.Helper()
	line = strings.ReplaceAll(line, "bin/agentauth ", "agentauth ") // where `make build` puts it
	cmd := exec.CommandContext(t.Context(), "bash", "-c", line)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	data, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", line, err)
	}
	return string(data), cmd.ProcessState.ExitCode()
}

// A policy that refers to a Secret elsewhere is accepted, as serve accepts it;
// what serve would refuse makes check end with 2.
func TestPoliciesInDocumentsAreAccepted(t *testing.T) {
	n := 0
	for _, d := range documents(t) {
		for _, b := range d.blocks("yaml") {
			if !strings.Contains(b.text, "kind: AgentAuthPolicy") {
				continue
			}
			n++
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, code := run(t, "agentauth check --policies '"+dir+"' https://nowhere.example"); code != 1 {
				t.Errorf("%s: expected a policy that is accepted and a request that nothing claims, got exit code %d\n%s", b.where, code, out)
			}
			out, _ := run(t, "agentauth validate '"+dir+"'")
			for _, l := range authz.Lints() {
				if !(authz.Problem{Lint: l}).OfReferences() && strings.Contains(out, string(l)) {
					t.Errorf("%s: expected a policy without a warning, got\n%s", b.where, out)
				}
			}
		}
	}
	if n < 8 {
		t.Errorf("expected at least 8 policies in the documents, found %d", n)
	}
}

var comment = regexp.MustCompile(`(^|\s+)#.*`)

// essence is YAML without comments and spacing.
func essence(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.Join(strings.Fields(comment.ReplaceAllString(line, "")), " "); line != "" {
			out = append(out, line)
		}
	}
	return out
}

func TestThePolicyThatTheReadmeExplainsIsTheSample(t *testing.T) {
	readme := document{root + "/README.md", read(t, root+"/README.md")}
	shown := readme.blocks("yaml")
	if len(shown) != 2 {
		t.Fatalf("expected a policy and a Secret in the README, got %d blocks", len(shown))
	}
	for i, doc := range strings.Split(read(t, root+"/config/samples/api-keys.yaml"), "\n---\n")[:2] {
		if got, want := essence(shown[i].text), essence(doc); !slices.Equal(got, want) {
			t.Errorf("%s differs from config/samples/api-keys.yaml:\n%s\nexpected\n%s", shown[i].where, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// A console block is "$ command", then what it prints.
func TestOutputInDocumentsIsWhatIsPrinted(t *testing.T) {
	n := 0
	for _, d := range documents(t) {
		for _, b := range d.blocks("console") {
			for _, part := range strings.Split("\n"+b.text, "\n$ ")[1:] {
				n++
				line, want, _ := strings.Cut(part, "\n")
				if got, _ := run(t, line); strings.TrimSpace(got) != strings.TrimSpace(want) {
					t.Errorf("%s: %s prints\n%s\nexpected\n%s", b.where, line, got, want)
				}
			}
		}
	}
	if n == 0 {
		t.Error("expected documents that show output, found none")
	}
}

func TestCommandsInDocumentsExist(t *testing.T) {
	known := commands(t)
	targets := regexp.MustCompile(`(?m)^([a-z0-9-]+):`).FindAllStringSubmatch(read(t, root+"/Makefile"), -1)
	n := 0
	for _, d := range documents(t) {
		for _, b := range append(d.blocks("sh"), d.blocks("console")...) {
			for _, words := range invocations(b.text) {
				switch words[0] {
				case "agentauth":
					n++
					checkCommand(t, b.where, words, known)
				case "make":
					for _, w := range words[1:] {
						if !strings.Contains(w, "=") && !slices.ContainsFunc(targets, func(m []string) bool { return m[1] == w }) {
							t.Errorf("%s: make %s: there is no such target", b.where, w)
						}
					}
				}
			}
		}
	}
	if n < 10 {
		t.Errorf("expected at least 10 commands in the documents, found %d", n)
	}
}

// invocations are the words of each simple command.
func invocations(text string) [][]string {
	var out [][]string
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.SplitSeq(text, "\n") {
		for _, command := range strings.Split(comment.ReplaceAllString(line, ""), "|") {
			if words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(command), "$ ")); len(words) > 0 {
				words[0] = strings.TrimPrefix(words[0], "bin/") // where `make build` puts it
				out = append(out, words)
			}
		}
	}
	return out
}

func checkCommand(t *testing.T, where string, words, known []string) {
	t.Helper()
	if len(words) < 2 || !slices.Contains(known, words[1]) {
		t.Errorf("%s: expected one of the commands %q, got %q", where, known, words)
		return
	}
	long, short := flagsOf(t, words[1])
	flags := append(long, short...)
	for _, w := range words[2:] {
		name, _, _ := strings.Cut(w, "=")
		if len(name) > 1 && name[0] == '-' && !slices.Contains(flags, name) {
			t.Errorf("%s: agentauth %s has no flag %s", where, words[1], name)
		}
	}
}
