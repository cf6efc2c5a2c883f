package parts

import "syscall"

// ownGroup also asks the kernel to end the part with us: a test binary that panics on its -timeout runs
// no clean-up.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
