package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of processor time in /proc: USER_HZ, which is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// sight is how far everything had come at a moment.
type sight struct {
	at                   time.Time
	refused              int64
	loudPosts, loudGot   int64
	server, own, machine time.Duration
}

func look(s *server, quiet, loud *tenant) (now sight, err error) {
	now = sight{at: time.Now(), refused: quiet.refused.Load(), loudPosts: loud.accepted.Load(), loudGot: loud.received.Load()}
	if now.server, err = processTime(s.cmd.Process.Pid); err != nil {
		return
	}
	if now.own, err = processTime(os.Getpid()); err != nil {
		return
	}
	now.machine, err = machineTime()
	return
}

// processTime is the processor time, user and system, that a process has spent.
func processTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The command, in parentheses, may contain anything; what follows are fields 3 and on.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const user, system = 14 - 3, 15 - 3
	if len(fields) <= system {
		return 0, fmt.Errorf("unexpected /proc/PID/stat %q", stat)
	}
	return ticks(fields[user], fields[system])
}

// machineTime is the processor time that the whole machine has spent, what a hypervisor took included.
func machineTime() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 9 {
		return 0, fmt.Errorf("unexpected /proc/stat %q", line)
	}
	// cpu user nice system idle iowait irq softirq steal
	return ticks(fields[1], fields[2], fields[3], fields[6], fields[7], fields[8])
}

func ticks(fields ...[]byte) (sum time.Duration, err error) {
	for _, f := range fields {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}
