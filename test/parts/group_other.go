//go:build !linux

package parts

import (
	"os/exec"
	"syscall"
)

// OwnGroup has a program run in a process group of its own.
func OwnGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// startGroup starts a program of OwnGroup.
func startGroup(cmd *exec.Cmd) error { return cmd.Start() }
