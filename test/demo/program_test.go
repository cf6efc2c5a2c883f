//go:build e2e && linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// running is the demo as a terminal runs it: in a process group.
type running struct {
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
}

func startProgram(t *testing.T, dir, program string, args ...string) *running {
	t.Helper()
	p := &running{cmd: exec.Command(program, args...), log: filepath.Join(dir, "demo.log"), exited: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // its state says how it ended
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGTERM)
		<-p.exited
	})
	return p
}

func (p *running) signal(s syscall.Signal) {
	select {
	case <-p.exited:
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

func (p *running) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(2 * time.Minute):
		t.Fatalf("it did not end:\n%s", p.text(t))
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *running) text(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (p *running) says(t *testing.T, what string) error {
	t.Helper()
	text := p.text(t)
	select {
	case <-p.exited:
		t.Fatalf("it ended:\n%s", text)
	default:
	}
	if !strings.Contains(text, what) {
		return fmt.Errorf("expected %q in\n%s", what, text)
	}
	return nil
}
