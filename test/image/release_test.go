//go:build e2e

package image

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

const (
	releaseImage  = "registry.example.com/team/agentauth"
	releaseDigest = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
)

// script runs test/release.sh in a directory.
func script(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "test/release.sh", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PLATFORMS=linux/"+runtime.GOARCH)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// What the workflow of a release publishes beside the image, made as the workflow does.
func TestAReleaseHasTheProgramItsPartsAndTheChartOfItsImage(t *testing.T) {
	root, err := parts.Root()
	must(t, err)
	tools := filepath.Join(root, ".parts", "bin")
	dir := filepath.Join(parts.TestDir(t), "dist")
	if out, err := script(t, root, "files", "v0.1.0", releaseImage, releaseDigest, filepath.Join(tools, "cyclonedx-gomod"), filepath.Join(tools, "helm"), dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	name := "agentauth-0.1.0-linux-" + runtime.GOARCH
	sums, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	must(t, err)
	for _, file := range []string{name + ".tar.gz", name + ".cdx.json", "agentauth-0.1.0.tgz"} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		must(t, err)
		sum := sha256.Sum256(data)
		if !strings.Contains(string(sums), hex.EncodeToString(sum[:])+"  "+file) {
			t.Errorf("expected the digest of %s in\n%s", file, sums)
		}
	}

	files := unpack(t, filepath.Join(dir, name+".tar.gz"))
	if want, got := []string{name + "/LICENSE", name + "/NOTICE", name + "/agentauth"}, slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		t.Errorf("expected %q, got %q", want, got)
	}
	binary := filepath.Join(dir, "agentauth")
	must(t, os.WriteFile(binary, files[name+"/agentauth"], 0o700))
	out, err := exec.CommandContext(t.Context(), binary, "version").Output()
	if err != nil || !strings.Contains(string(out), "v0.1.0") {
		t.Errorf("expected version v0.1.0, got %q: %v", out, err)
	}

	var sbom struct {
		Components []struct{ Purl string }
	}
	data, err := os.ReadFile(filepath.Join(dir, name+".cdx.json"))
	must(t, err)
	must(t, json.Unmarshal(data, &sbom))
	if !slices.ContainsFunc(sbom.Components, func(c struct{ Purl string }) bool {
		return strings.HasPrefix(c.Purl, "pkg:golang/google.golang.org/grpc@v")
	}) {
		t.Errorf("expected grpc among the %d parts of the program", len(sbom.Components))
	}

	rendered, err := exec.CommandContext(t.Context(), filepath.Join(tools, "helm"), "template", "agentauth", filepath.Join(dir, "agentauth-0.1.0.tgz"), "--set", "door.trustNetwork=true").Output()
	if err != nil || !strings.Contains(string(rendered), `image: "`+releaseImage+"@"+releaseDigest+`"`) {
		t.Errorf("expected the chart to name the image: %v\n%.300s", err, rendered)
	}
}

func unpack(t *testing.T, archive string) map[string][]byte {
	t.Helper()
	f, err := os.Open(archive)
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	out := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		must(t, err)
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if out[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSourcesThatAreNotTheReleaseAreToldApart(t *testing.T) {
	dir := filepath.Join(parts.TestDir(t), "src")
	for path, content := range map[string]string{
		"charts/agentauth/Chart.yaml": "version: 1.2.3\nappVersion: 1.2.3\n",
		"CHANGELOG.md":                "# Changelog\n\n## 1.2.3 (2026-12-01)\n\n- New.\n\n## 1.2.2\n\n- Old.\n",
	} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o750))
		must(t, os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600))
	}
	data, err := os.ReadFile("../release.sh")
	must(t, err)
	must(t, os.MkdirAll(filepath.Join(dir, "test"), 0o750))
	must(t, os.WriteFile(filepath.Join(dir, "test/release.sh"), data, 0o700))
	if out, err := script(t, dir, "check", "v1.2.3"); err != nil || out != "" {
		t.Errorf("expected nothing, got %v %s", err, out)
	}
	for version, want := range map[string]string{
		"1.2.3":  "expected VERSION=v1.2.3",
		"v1.2":   "expected VERSION=v1.2.3",
		"v1.2.2": "expected appVersion: 1.2.2, got '1.2.3'",
		"v1.2.4": "expected a chapter '## 1.2.4'",
		"":       "expected VERSION=v1.2.3",
	} {
		if out, err := script(t, dir, "check", version); err == nil || !strings.Contains(out, want) {
			t.Errorf("%q: expected %q, got %v %s", version, want, err, out)
		}
	}
}
