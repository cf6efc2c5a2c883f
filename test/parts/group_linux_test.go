package parts

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
)

// Go ends the thread of a goroutine that keeps it to its own end: it may be one on which a part was started.
func TestAPartOutlivesTheThreadsOfTheTest(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	var ended sync.WaitGroup
	ended.Go(func() {
		runtime.LockOSThread() // for good
		if err := StartGroup(cmd); err != nil {
			t.Error(err)
		}
	})
	ended.Wait()
	if cmd.Process == nil {
		t.Fatal("expected a process")
	}
	for range 200 { // threads come and go
		ended.Go(func() { runtime.LockOSThread() })
	}
	ended.Wait()
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WNOHANG, nil); pid != 0 || err != nil {
		t.Errorf("expected that it lives, got %d, %v, %v", pid, status, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
}
