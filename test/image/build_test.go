//go:build e2e

package image

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// other is a processor that this machine does not have.
var other, machines = map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH],
	map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// static says that a binary is of a processor and needs no loader and no library.
func static(t *testing.T, path, arch string) {
	t.Helper()
	file, err := elf.Open(path)
	must(t, err)
	defer file.Close()
	if file.Machine != machines[arch] {
		t.Errorf("expected a binary of %s, got %s", arch, file.Machine)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("expected a static binary, it has %s", p.Type)
		}
	}
}

func TestTwoBuildsGiveTheSameBytes(t *testing.T) {
	dir := parts.TestDir(t)
	first := build(t, filepath.Join(dir, "src"), runtime.GOARCH, "")
	// Elsewhere, and nothing of the first is taken over.
	second := build(t, filepath.Join(dir, "another place", "with a longer name"), runtime.GOARCH, filepath.Join(dir, "cache"))
	a, err := os.ReadFile(first)
	must(t, err)
	b, err := os.ReadFile(second)
	must(t, err)
	if !bytes.Equal(a, b) {
		t.Errorf("%s and %s differ", first, second)
	}
	static(t, first, runtime.GOARCH)
	root, err := parts.Root()
	must(t, err)
	if bytes.Contains(a, []byte(root+"/")) {
		t.Errorf("the binary names the directory it was built in: %s", root)
	}
}

func TestItBuildsForAnotherProcessor(t *testing.T) {
	static(t, build(t, filepath.Join(parts.TestDir(t), "src"), other, ""), other)
}

// Where there is nothing else, nothing can be written, and it is nobody: what the pod is, but for the certificates
// of distroless.
func TestItRunsInAnEmptyRoot(t *testing.T) {
	dir := parts.TestDir(t)
	binary := build(t, filepath.Join(dir, "src"), runtime.GOARCH, "")
	root := filepath.Join(dir, "root")
	must(t, os.MkdirAll(filepath.Join(root, "policies"), 0o755))
	data, err := os.ReadFile(binary)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(root, "agentauth"), data, 0o755))
	policy, err := os.ReadFile("../../config/samples/public.yaml")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(root, "policies", "public.yaml"), policy, 0o644))

	// In a user namespace of its own, whose root makes the mount read-only; in one more it is somebody without rights.
	inside := filepath.Join(dir, "inside")
	must(t, os.WriteFile(inside, []byte(`#!/bin/sh
exec unshare --user --map-root-user --mount sh -ec '
mount --bind "$0" "$0"
mount -o remount,bind,ro "$0"
exec unshare --user --map-user=65532 --map-group=65532 --root="$0" /agentauth "$@"' '`+root+`' "$@"
`), 0o755))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for args, want := range map[string]string{
		"version":            "agentauth v9.8.7 ",
		"validate /policies": "",
		"check --policies /policies https://api.example.com/public": "allow",
	} {
		out, err := exec.CommandContext(ctx, inside, strings.Fields(args)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: expected %q, got %v\n%s", args, want, err, out)
		}
	}
	a, err := parts.StartAgentauth(ctx, parts.AgentauthConfig{Dir: dir, Binary: inside, Args: []string{"--policies", "/policies"}})
	must(t, err)
	process := filepath.Join("/proc", strconv.Itoa(a.Pid()))
	if status, err := os.ReadFile(filepath.Join(process, "status")); err != nil || !strings.Contains(string(status), "\nCapEff:\t0000000000000000\n") {
		t.Errorf("expected a process without capabilities, got %v\n%s", err, status)
	}
	if err := os.WriteFile(filepath.Join(process, "root", "written"), nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Errorf("expected a root that nobody can write, got %v", err)
	}
	if err := a.Stop(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
}
