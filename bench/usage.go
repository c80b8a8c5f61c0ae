package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc: USER_HZ, which is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// usage is what a process has used so far.
type usage struct {
	cpu  time.Duration // user and system
	rss  int64         // resident bytes now
	peak int64         // most resident bytes ever
}

func usageOf(pid int) (usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}, err
	}
	return parseUsage(stat, status)
}

func parseUsage(stat, status []byte) (usage, error) {
	// The command, in parentheses, may contain anything; what follows are fields 3 and on.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const user, system = 14 - 3, 15 - 3
	if len(fields) <= system {
		return usage{}, fmt.Errorf("unexpected /proc/PID/stat %q", stat)
	}
	var u usage
	for _, i := range []int{user, system} {
		ticks, err := strconv.ParseInt(string(fields[i]), 10, 64)
		if err != nil {
			return usage{}, fmt.Errorf("unexpected /proc/PID/stat: %w", err)
		}
		u.cpu += time.Duration(ticks) * tick
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		into, ok := map[string]*int64{"VmRSS": &u.rss, "VmHWM": &u.peak}[name]
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return usage{}, fmt.Errorf("unexpected /proc/PID/status: %w", err)
		}
		*into = kib << 10
	}
	return u, nil
}

// busyTime is the processor time that the whole machine has spent since its start, what a hypervisor took included.
func busyTime() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseBusyTime(stat)
}

func parseBusyTime(stat []byte) (busy time.Duration, err error) {
	line, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(line)
	// cpu user nice system idle iowait irq softirq steal; what follows is part of user and nice.
	const count, idle, iowait = 9, 4, 5
	if len(fields) < count || fields[0] != "cpu" {
		return 0, fmt.Errorf("unexpected /proc/stat %q", line)
	}
	for i, field := range fields[1:count] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("unexpected /proc/stat: %w", err)
		}
		if i+1 != idle && i+1 != iowait {
			busy += time.Duration(ticks) * tick
		}
	}
	return busy, nil
}
