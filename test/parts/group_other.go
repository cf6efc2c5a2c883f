//go:build !linux

package parts

import (
	"os/exec"
	"syscall"
)

// StartGroup starts a program in a process group of its own.
func StartGroup(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd.Start()
}
