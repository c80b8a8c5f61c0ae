// Package usage reads what processes and the whole machine have used, for tests and measurements. It needs Linux: all of it
// comes from /proc.
package usage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc: USER_HZ, which is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// Process is what a process has used so far.
type Process struct {
	CPU  time.Duration // user and system
	RSS  int64         // resident bytes now
	Peak int64         // most resident bytes ever
}

// Of returns what a process has used.
func Of(pid int) (Process, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Process{}, err
	}
	return parseProcess(stat, status)
}

func parseProcess(stat, status []byte) (Process, error) {
	times, err := parseStat(stat)
	if err != nil {
		return Process{}, err
	}
	p := Process{CPU: times.own}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		into, ok := map[string]*int64{"VmRSS": &p.RSS, "VmHWM": &p.Peak}[name]
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return Process{}, fmt.Errorf("unexpected /proc/PID/status: %w", err)
		}
		*into = kib << 10
	}
	return p, nil
}

// Family returns the processor time of a process and its children, those that have ended included.
func Family(pid int) (total time.Duration, err error) {
	first, err := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	total = first.own + first.ended
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		if child, err := readStat(file); err == nil && child.parent == pid { // others come and go
			total += child.own
		}
	}
	return total, nil
}

// times is what /proc/PID/stat says of a process.
type times struct {
	parent int
	own    time.Duration
	ended  time.Duration // of its children that are gone
}

func readStat(file string) (times, error) {
	stat, err := os.ReadFile(file)
	if err != nil {
		return times{}, err
	}
	return parseStat(stat)
}

func parseStat(stat []byte) (t times, err error) {
	// The command, in parentheses, may contain anything; what follows are fields 3 and on.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const parent, user, system, endedUser, endedSystem = 4 - 3, 14 - 3, 15 - 3, 16 - 3, 17 - 3
	if len(fields) <= endedSystem {
		return t, fmt.Errorf("unexpected /proc/PID/stat %q", stat)
	}
	if t.parent, err = strconv.Atoi(string(fields[parent])); err != nil {
		return t, fmt.Errorf("unexpected /proc/PID/stat: %w", err)
	}
	if t.own, err = sum(fields[user], fields[system]); err != nil {
		return t, fmt.Errorf("unexpected /proc/PID/stat: %w", err)
	}
	if t.ended, err = sum(fields[endedUser], fields[endedSystem]); err != nil {
		return t, fmt.Errorf("unexpected /proc/PID/stat: %w", err)
	}
	return t, nil
}

// Machine returns the processor time that the whole machine has spent since its start, what a hypervisor took included.
func Machine() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseMachine(stat)
}

func parseMachine(stat []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	// cpu user nice system idle iowait irq softirq steal; what follows is part of user and nice.
	const user, idle, irq, count = 1, 4, 6, 9
	if len(fields) < count || string(fields[0]) != "cpu" {
		return 0, fmt.Errorf("unexpected /proc/stat %q", line)
	}
	busy, err := sum(append(fields[user:idle:idle], fields[irq:count]...)...)
	if err != nil {
		return 0, fmt.Errorf("unexpected /proc/stat: %w", err)
	}
	return busy, nil
}

// sum adds up counts of ticks.
func sum(fields ...[]byte) (total time.Duration, err error) {
	for _, field := range fields {
		ticks, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, err
		}
		total += time.Duration(ticks) * tick
	}
	return total, nil
}
