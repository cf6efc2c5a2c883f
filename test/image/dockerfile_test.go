//go:build e2e

package image

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// instruction is a line of the Dockerfile: a word and what follows.
type instruction struct{ word, rest string }

func dockerfile(t *testing.T) []instruction {
	t.Helper()
	data, err := os.ReadFile("../../Dockerfile")
	must(t, err)
	var out []instruction
	for line := range strings.SplitSeq(strings.ReplaceAll(string(data), "\\\n", ""), "\n") {
		if word, rest, ok := strings.Cut(line, " "); ok && word != "#" {
			out = append(out, instruction{word, strings.TrimSpace(rest)})
		}
	}
	return out
}

// all are the lines that start with a word.
func all(t *testing.T, word string) []string {
	t.Helper()
	var out []string
	for _, i := range dockerfile(t) {
		if i.word == word {
			out = append(out, i.rest)
		}
	}
	return out
}

// build does in dir what the first stage does, and returns the binary. The cache is Go's usual one, or a fresh one.
func build(t *testing.T, dir, arch, cache string) string {
	t.Helper()
	root, err := parts.Root()
	must(t, err)
	must(t, os.MkdirAll(dir, 0o750))
	for _, sources := range all(t, "COPY") {
		words := strings.Fields(sources)
		if strings.HasPrefix(words[0], "--from") {
			continue
		}
		for _, source := range words[:len(words)-1] {
			from, to := filepath.Join(root, source), filepath.Join(dir, source)
			if info, err := os.Stat(from); err != nil {
				t.Fatal(err)
			} else if info.IsDir() {
				must(t, os.CopyFS(to, os.DirFS(from)))
				continue
			}
			data, err := os.ReadFile(from)
			must(t, err)
			must(t, os.WriteFile(to, data, 0o600))
		}
	}
	runs := slices.DeleteFunc(all(t, "RUN"), func(line string) bool { return !strings.Contains(line, "go build") })
	if len(runs) != 1 || strings.Count(runs[0], "-o /agentauth ") != 1 {
		t.Fatalf("expected one build that writes /agentauth, got %q", runs)
	}
	binary := filepath.Join(dir, "out", "agentauth")
	line := strings.Replace(runs[0], "-o /agentauth ", "-o '"+binary+"' ", 1)
	if arch != runtime.GOARCH {
		line = strings.Replace(line, "go build ", "go build -pgo=off ", 1) // whether it builds does not depend on the profile, which takes minutes
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-ec", line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TARGETOS=linux", "TARGETARCH="+arch, "VERSION=v9.8.7", "GOWORK=off", "GOAMD64=", "GOARM64=")
	if cache != "" {
		cmd.Env = append(cmd.Env, "GOCACHE="+cache)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", runs[0], err, out)
	}
	return binary
}

func TestTheDockerfileBuildsWithTheGoThatTheModuleWants(t *testing.T) {
	data, err := os.ReadFile("../../go.mod")
	must(t, err)
	want := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindStringSubmatch(string(data))[1]
	if from := all(t, "FROM")[0]; !regexp.MustCompile(` golang:` + regexp.QuoteMeta(want) + `\.\d+@sha256:[0-9a-f]{64} AS build$`).MatchString(from) {
		t.Errorf("expected golang:%s in a fixed version, by digest, got %s", want, from)
	}
}

func TestTheImageRunsAsNobodyAndHasOneProgram(t *testing.T) {
	lines := dockerfile(t)
	last := slices.IndexFunc(lines, func(i instruction) bool { return i.word == "FROM" && !strings.Contains(i.rest, "AS build") })
	want := []instruction{
		{"FROM", "gcr.io/distroless/static-debian13:nonroot"}, // and its digest
		{"COPY", "--from=build /agentauth /agentauth"},
		{"USER", "65532:65532"},
		{"ENTRYPOINT", `["/agentauth"]`},
	}
	lines[last].rest, _, _ = strings.Cut(lines[last].rest, "@")
	if !slices.Equal(lines[last:], want) {
		t.Errorf("expected %q, got %q", want, lines[last:])
	}
}

// A tag is whatever its owner makes it tomorrow.
func TestEveryBaseImageIsNamedByItsDigest(t *testing.T) {
	images := all(t, "FROM")
	for _, from := range images {
		if !regexp.MustCompile(`^(--platform=\S+ )?\S+:\S+@sha256:[0-9a-f]{64}( AS \S+)?$`).MatchString(from) {
			t.Errorf("expected IMAGE:TAG@sha256:DIGEST, got %s", from)
		}
	}
	if len(images) != 2 {
		t.Errorf("expected two base images, got %q", images)
	}
}

// What is not sent to the builder cannot be copied, and what is not copied need not be sent.
func TestTheBuilderIsSentWhatIsCopiedAndNothingElse(t *testing.T) {
	data, err := os.ReadFile("../../.dockerignore")
	must(t, err)
	var sent, copied []string
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "!"); ok {
			sent = append(sent, name)
		}
	}
	for _, sources := range all(t, "COPY") {
		if words := strings.Fields(sources); !strings.HasPrefix(words[0], "--from") {
			copied = append(copied, words[:len(words)-1]...)
		}
	}
	slices.Sort(sent)
	slices.Sort(copied)
	if !slices.Equal(sent, copied) || !strings.HasPrefix(string(data), "*\n") {
		t.Errorf("copied %q, sent %q", copied, sent)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
