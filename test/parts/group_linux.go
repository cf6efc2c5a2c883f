package parts

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// ownGroup has a program run in a process group of its own, and asks the kernel to end it with us: a test binary
// that panics on its -timeout runs no clean-up.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// starts has a thread of its own that never ends. The kernel ends a program of ownGroup with the thread that started
// it, and other threads may end: Go ends that of a goroutine which keeps its thread to its own end.
var starts = sync.OnceValue(func() chan<- func() {
	all := make(chan func())
	go func() {
		runtime.LockOSThread()
		for start := range all {
			start()
		}
	}()
	return all
})

// StartGroup starts a program in a process group of its own, which the kernel ends with us.
func StartGroup(cmd *exec.Cmd) error {
	cmd.SysProcAttr = ownGroup()
	done := make(chan error, 1)
	starts() <- func() { done <- cmd.Start() }
	return <-done
}
