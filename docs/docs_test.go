// Package docs_test holds the documents to what the code does: their policies
// are loaded, their commands exist, the output they show is what is printed,
// and the tables that say "these are all" are complete.
package docs_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = ".."

// bin is the directory of the agentauth that the documents speak of.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "docs-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(bin) }()
		if out, err := exec.CommandContext(context.Background(), "go", "build", "-o", agentauth(), root+"/cmd/agentauth").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

func agentauth() string { return filepath.Join(bin, "agentauth") }

// document is a page.
type document struct{ path, text string }

func documents(t *testing.T) []document {
	t.Helper()
	var out []document
	for _, pattern := range []string{root + "/*.md", "*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			out = append(out, document{file, read(t, file)})
		}
	}
	if len(out) < 10 {
		t.Fatalf("expected at least 10 documents, found %d", len(out))
	}
	return out
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var fence = regexp.MustCompile("(?ms)^( *)```([a-z]+)\n(.*?)^ *```$")

// block is a fenced block of a document, without its indentation.
type block struct{ where, text string }

func (d document) blocks(language string) []block {
	var out []block
	for _, m := range fence.FindAllStringSubmatchIndex(d.text, -1) {
		indent, kind, text := d.text[m[2]:m[3]], d.text[m[4]:m[5]], d.text[m[6]:m[7]]
		if kind != language {
			continue
		}
		text = strings.TrimPrefix(strings.ReplaceAll("\n"+text, "\n"+indent, "\n"), "\n")
		out = append(out, block{fmt.Sprintf("%s:%d", d.path, 1+strings.Count(d.text[:m[0]], "\n")), text})
	}
	return out
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	noSlug  = regexp.MustCompile(`[^a-z0-9 _-]`)
)

func TestRelativeLinksLeadSomewhere(t *testing.T) {
	for _, d := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(d.text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := d.path
			if target != "" {
				file = filepath.Join(filepath.Dir(d.path), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: link to %s: %v", d.path, m[1], err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, file)), anchor) {
				t.Errorf("%s: link to %s: there is no such heading", d.path, m[1])
			}
		}
	}
}

func anchors(text string) []string {
	var out []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		out = append(out, strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return out
}

var (
	address     = regexp.MustCompile(`https?://[^\s)\],"'<>` + "`" + `]+`)
	machinePath = regexp.MustCompile(`(^|[\s"'(=:])/(root|home|tmp|mnt|Users)/`)
	// Examples use names that are reserved for it (RFC 2606); these are real.
	linked = []string{"www.envoyproxy.io", "gateway.envoyproxy.io", "cel.dev", "github.com", "modelcontextprotocol.io", "agentgateway.dev", "istio.io",
		"token.actions.githubusercontent.com", "login.microsoftonline.com", "sts.windows.net", "example.eu.auth0.com", "example.okta.com",
		"cognito-idp.eu-central-1.amazonaws.com", "accounts.google.com", "example.cloudflareaccess.com", "www.googleapis.com"}
)

func TestDocumentsNameNoOtherHostsAndNoPathsOfSomebodysMachine(t *testing.T) {
	for _, d := range documents(t) {
		for _, found := range address.FindAllString(d.text, -1) {
			u, err := url.Parse(found)
			if err != nil || !reserved(u.Hostname()) && !slices.Contains(linked, u.Hostname()) {
				t.Errorf("%s: expected a host of an example or a known site, got %s", d.path, found)
			}
		}
		if m := machinePath.FindString(d.text); m != "" {
			t.Errorf("%s: %q is a path of somebody's machine", d.path, m)
		}
	}
}

func reserved(host string) bool {
	return strings.HasSuffix(host, ".example") || strings.HasSuffix(host, ".example.com") || host == "example.com" ||
		host == "127.0.0.1" || host == "localhost"
}
