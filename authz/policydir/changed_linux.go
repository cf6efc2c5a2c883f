package policydir

import (
	"io/fs"
	"syscall"
	"time"
)

// changedAt is when a file was last written, renamed or given another time. Who
// writes a file can set its modification time back, and not this one.
func changedAt(info fs.FileInfo) time.Time {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(stat.Ctim.Unix())
	}
	return info.ModTime()
}
