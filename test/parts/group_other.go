//go:build !linux

package parts

import "syscall"

// OwnGroup has a program run in a process group of its own.
func OwnGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
