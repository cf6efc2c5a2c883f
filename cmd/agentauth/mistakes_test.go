package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// The page says what each mistake gets; here each is made.
func TestEachMistakeOfThePageGetsItsMessage(t *testing.T) {
	page, err := os.ReadFile("../../docs/mistakes.md")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := txtar.ParseFile("testdata/mistakes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	manifests := map[string][]byte{}
	for _, f := range archive.Files {
		manifests[f.Name] = f.Data
	}
	t.Chdir(t.TempDir())
	for name, content := range map[string][]byte{"ok.yaml": manifests["`=` for `==`"], "short.txt": []byte("secret")} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("ok", 0o700); err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| (.+?) \\| `+ ?(.+?) ?`+ \\|$").FindAllStringSubmatch(string(page), -1)
	made := 0
	for _, row := range rows {
		title, message := row[1], row[2]
		var args []string
		if command, is := strings.CutPrefix(title, "`agentauth "); is {
			args = words(strings.TrimSuffix(command, "`"))
		} else if manifest := manifests[title]; manifest != nil {
			if err := os.WriteFile("policy.yaml", manifest, 0o600); err != nil {
				t.Fatal(err)
			}
			args = []string{"validate", "policy.yaml"}
			made++
		} else {
			t.Errorf("%s: the page has it, and testdata/mistakes.txtar has not", title)
			continue
		}
		var out bytes.Buffer
		run(args, strings.NewReader(""), &out, &out)
		if !strings.Contains(out.String(), message) {
			t.Errorf("%s: expected %s, got\n%s", title, message, out.String())
		}
	}
	if made != len(manifests) || len(rows) < 40 {
		t.Errorf("expected all %d manifests and 40 mistakes at least, made %d of %d", len(manifests), made, len(rows))
	}
}

// words splits a command as a shell does, as far as the page needs it.
func words(command string) (out []string) {
	for _, m := range regexp.MustCompile(`'([^']*)'|\S+`).FindAllStringSubmatch(command, -1) {
		if strings.HasPrefix(m[0], "'") {
			out = append(out, m[1])
		} else {
			out = append(out, m[0])
		}
	}
	return out
}
