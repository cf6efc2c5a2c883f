package main

import (
	"io/fs"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/agentauth-dev/agentauth/authz/password"
)

// limitMemory makes the garbage collector work harder before the kernel ends the
// process: it sets GOMEMLIMIT to 90% of the container's limit, unless the
// environment sets it.
func limitMemory(cgroup fs.FS) {
	if _, set := os.LookupEnv("GOMEMLIMIT"); set {
		return
	}
	if limit, ok := containerMemory(cgroup); ok {
		debug.SetMemoryLimit(limit / 10 * 9)
	}
}

// containerMemory is the memory limit of the control group in bytes, false if
// there is none.
func containerMemory(cgroup fs.FS) (int64, bool) {
	for _, name := range []string{"memory.max", "memory/memory.limit_in_bytes"} { // version 2, version 1
		data, err := fs.ReadFile(cgroup, name)
		if err != nil {
			continue
		}
		// Without a limit version 2 has "max", and version 1 a number near 2^63.
		limit, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
		return limit, err == nil && limit > 0 && limit < 1<<50
	}
	return 0, false
}

// hashMemory is the budget of password hashes: a quarter of GOMEMLIMIT, or of 1
// GiB where there is none, and enough for any one hash.
func hashMemory() int64 { return max(memoryLimit()/4, password.MaxMemory) }

// memoryLimit is GOMEMLIMIT in bytes, or 1 GiB where there is none.
func memoryLimit() int64 {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return 1 << 30
	}
	return limit
}
