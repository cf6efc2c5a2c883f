//go:build e2e && linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

func TestTheDemoInAClusterDecidesAsExpectedCanBeTriedAndLeavesNothing(t *testing.T) {
	dir := parts.TestDir(t)
	binary, err := parts.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "demo")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p := startProgram(t, dir, program, "-cluster", "-keep", "-agentauth", binary)
	parts.Within(t, 5*time.Minute, func() error { return p.says(t, "Its metrics:") })

	text := p.text(t)
	if all := regexp.MustCompile(`(?m)^(\d+) of (\d+) decisions as expected\.$`).FindStringSubmatch(text); len(all) == 0 || all[1] != all[2] {
		t.Errorf("expected N of N decisions as expected in\n%s", text)
	}
	tried := shell(t, dir, indented(text))
	var statuses []string
	for _, line := range regexp.MustCompile(`(?m)^HTTP/\S+ (\d+)`).FindAllStringSubmatch(tried, -1) {
		statuses = append(statuses, line[1])
	}
	if want := []string{"200", "200", "401", "200", "200"}; !slices.Equal(statuses, want) {
		t.Errorf("expected what is to be tried to answer %q, got %q in\n%s", want, statuses, tried)
	}
	for _, want := range []string{"httproute.gateway.networking.k8s.io/search", "undefined field 'role'", `"search" deleted`} {
		if !strings.Contains(tried, want) {
			t.Errorf("expected %s in\n%s", want, tried)
		}
	}

	runDir := regexp.MustCompile(`--kubeconfig (\S+)/`).FindStringSubmatch(text)
	if len(runDir) == 0 {
		t.Fatalf("expected a kubeconfig in\n%s", text)
	}
	if left := mentioning(t, runDir[1]); len(left) < 5 {
		t.Errorf("expected to find the parts by their run directory, found only %q", left)
	}
	p.signal(syscall.SIGINT) // as a terminal does
	if code := p.wait(t); code != 0 {
		t.Errorf("expected the exit code 0, got %d:\n%s", code, p.text(t))
	}
	if _, err := os.Stat(runDir[1]); !os.IsNotExist(err) {
		t.Errorf("expected the run directory to be gone: %v", err)
	}
	parts.Within(t, 10*time.Second, func() error {
		if left := mentioning(t, runDir[1]); len(left) > 0 {
			return fmt.Errorf("still running: %q", left)
		}
		return nil
	})
}

// indented is what the text shows to be typed.
func indented(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// shell runs a script in the network of the test, which is not the demo's.
func shell(t *testing.T, dir, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Env = append(os.Environ(), "HOME="+dir) // kubectl's caches
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s\n%s", err, script, out)
	}
	return string(out)
}

// mentioning are the processes that have a text in their command line.
func mentioning(t *testing.T, what string) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range all {
		line, err := os.ReadFile(file)
		if err == nil && bytes.Contains(line, []byte(what)) { // one that has ended in between is none
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}
