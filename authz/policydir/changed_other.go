//go:build !linux

package policydir

import (
	"io/fs"
	"time"
)

// changedAt is when a file was last written, as far as this system tells.
func changedAt(info fs.FileInfo) time.Time { return info.ModTime() }
