package parts

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestAStoppedPartIsGoneAndOneThatDiedIsAnError(t *testing.T) {
	sleep := func() *Process {
		p, err := start("sleep", TestDir(t), "sleep", "100")
		Must(t, err)
		return p
	}
	p := sleep()
	Must(t, p.Stop())
	Must(t, p.Stop())
	if process, err := os.FindProcess(p.Pid()); err == nil && process.Signal(syscall.Signal(0)) == nil {
		t.Error("the process is still there")
	}
	died := sleep()
	Must(t, died.Signal(syscall.SIGKILL))
	<-died.Exited()
	if err := died.Stop(); err == nil || !strings.Contains(err.Error(), "had ended by itself: signal: killed") {
		t.Errorf("expected to be told that it had ended, got %v", err)
	}
	crashed := sleep()
	crashed.Kill()
	Must(t, crashed.Stop())
}
