package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of the CPU times under /proc, which the kernel keeps exactly and shows in hundredths of a second.
const tick = 10 * time.Millisecond

// cpuOf is the CPU time a process has used: its own and what the kernel did for it.
func cpuOf(pid int) (time.Duration, error) {
	const user, system = 11, 12 // after the name
	name := fmt.Sprintf("/proc/%d/stat", pid)
	data, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) <= system {
		return 0, fmt.Errorf("%s: expected CPU times, got %q", name, data)
	}
	return ticks(fields[user], fields[system])
}

// cpuOfAll is the CPU time that the machine has used.
func cpuOfAll() (time.Duration, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	fields := bytes.Fields(line)
	const softirq = 7
	if len(fields) <= softirq {
		return 0, fmt.Errorf("/proc/stat: expected CPU times, got %q", line)
	}
	return ticks(fields[1], fields[2], fields[3], fields[6], fields[softirq]) // user, nice, system, irq, softirq
}

func ticks(fields ...[]byte) (time.Duration, error) {
	var sum time.Duration
	for _, field := range fields {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}
