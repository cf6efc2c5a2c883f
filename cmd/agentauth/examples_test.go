package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// exampleLines are the examples of a command's help, each on one line.
func exampleLines(t *testing.T, command string) []string {
	t.Helper()
	var out, diagnostics bytes.Buffer
	if code := run([]string{command, "--help"}, strings.NewReader(""), &out, &diagnostics); code != 0 || diagnostics.Len() > 0 {
		t.Fatalf("%s --help ends with %d: %s", command, code, diagnostics.String())
	}
	_, examples, ok := strings.Cut(out.String(), "Examples:\n")
	examples, _, ok2 := strings.Cut(examples, "\n\n")
	if !ok || !ok2 {
		t.Fatalf("the help of %s has no examples:\n%s", command, out.String())
	}
	return strings.Split(strings.ReplaceAll(examples, "\\\n", ""), "\n")
}

// stage is a directory with everything the examples name.
func stage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "config/samples"), os.DirFS("../../config/samples")); err != nil {
		t.Fatal(err)
	}
	for _, write := range []func(string) error{writeKeys, writeCertificates} {
		if err := write(dir); err != nil {
			t.Fatal(err)
		}
	}
	for name, sample := range map[string]string{"policy.yaml": "any-of.yaml", "secrets.yaml": "basic.yaml"} {
		data, err := os.ReadFile(filepath.Join("../../config/samples", sample))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"before", "after"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS("../../config/samples")); err != nil {
			t.Fatal(err)
		}
	}
	record := `{"schema":"agentauth.dev/audit/v1","@timestamp":"2027-01-01T00:00:00Z","event":{"action":"decision","reason":"Allowed"},"http":{"request":{"method":"GET"}},"url":{"domain":"api.example.com","path":"/public"},"agentauth":{"decision":"allow","policy":"shop/public"}}`
	if err := os.WriteFile(filepath.Join(dir, "audit.jsonl"), []byte(record+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secret.txt"), []byte("a-secret-of-more-than-32-bytes-for-tests\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestEveryExampleOfTheHelpWorksAsWritten(t *testing.T) {
	dir := stage(t)
	for _, command := range []string{"check", "diff", "validate", "token", "hash", "version", "completion"} {
		for _, line := range exampleLines(t, command) {
			t.Run(strings.TrimSpace(line), func(t *testing.T) {
				cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
				cmd.Dir = dir
				var out, diagnostics bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &diagnostics
				if err := cmd.Run(); err != nil {
					t.Fatalf("%v\n%s%s", err, out.String(), diagnostics.String())
				}
				if command != "validate" && out.Len() == 0 {
					t.Error("it prints nothing")
				}
			})
		}
	}
	// A server runs until it is told to end; its ports are free ones here.
	for _, line := range exampleLines(t, "serve") {
		t.Run(strings.TrimSpace(line), func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "sh", "-c", "exec "+line+" --grpc-address 127.0.0.1:0 --metrics-address 127.0.0.1:0")
			cmd.Dir = dir
			var log lines
			cmd.Stderr = &log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			log.await(t, `"msg":"policies are in force"`)
			log.await(t, `"msg":"listening"`)
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("%v\n%s", err, log.String())
				}
			case <-time.After(patience):
				t.Errorf("it does not end\n%s", log.String())
			}
		})
	}
}

// lines is what a process writes, for who waits for some of it.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lines) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(l.String(), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("expected %s, got\n%s", text, l.String())
		}
	}
}
