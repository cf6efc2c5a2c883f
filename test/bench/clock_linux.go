package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cpuOf is the CPU time of a process, of all its threads, as clock_getcpuclockid(3) finds it: to the nanosecond,
// where /proc counts in hundredths of a second.
func cpuOf(pid int) (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// ownCPU is that of this process.
func ownCPU() time.Duration {
	cpu, err := cpuOf(os.Getpid())
	must(err)
	return cpu
}

// allCPU is how long the machine's CPUs were busy, whoever used them.
func allCPU() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	var ticks int64
	for i, word := range bytes.Fields(line) {
		n, err := strconv.ParseInt(string(word), 10, 64)
		// user nice system idle iowait irq softirq steal; guests are in user already.
		if err == nil && i >= 1 && i <= 8 && i != 4 && i != 5 {
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// sleep is exact: Go's timers are rounded up to a millisecond where nothing else happens.
func sleep(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&t, nil)
}
