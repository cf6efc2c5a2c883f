package parts

import "syscall"

// OwnGroup has a program run in a process group of its own, and asks the kernel to end it with us: a test binary
// that panics on its -timeout runs no clean-up.
func OwnGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
