package parts

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestAPartThatEndsBeforeItIsReadyNamesItsLogAndShowsItsEnd(t *testing.T) {
	dir := TestDir(t)
	_, err := StartEnvoy(t.Context(), EnvoyConfig{
		Dir: dir, Upstream: "127.0.0.1:1", Door: Door{Address: "127.0.0.1:2"}, FiltersBefore: "- name: no.such.filter",
	})
	if err == nil {
		t.Fatal("expected an error")
	}
	for _, want := range []string{dir + "/envoy.log", "no.such.filter", "exit status 1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q in: %v", want, err)
		}
	}
}

func TestAStoppedPartIsGoneAndOneThatDiedIsAnError(t *testing.T) {
	sleep := func() *Process {
		p, err := start("sleep", TestDir(t), nil, "sleep", "100")
		must(t, err)
		return p
	}
	p := sleep()
	must(t, p.Stop())
	must(t, p.Stop())
	if process, err := os.FindProcess(p.Pid()); err == nil && process.Signal(syscall.Signal(0)) == nil {
		t.Error("the process is still there")
	}
	died := sleep()
	must(t, died.Signal(syscall.SIGKILL))
	<-died.Exited()
	if err := died.Stop(); err == nil || !strings.Contains(err.Error(), "had ended by itself: signal: killed") {
		t.Errorf("expected to be told that it had ended, got %v", err)
	}
	crashed := sleep()
	crashed.Kill()
	must(t, crashed.Stop())
}
