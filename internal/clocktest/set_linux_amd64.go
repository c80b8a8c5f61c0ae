package clocktest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// replacement is a function of the vDSO and the code that stands in for it, in front of and behind the offset in seconds.
type replacement struct {
	symbol         string
	before, behind []byte
}

func replacements() []replacement {
	return []replacement{{
		symbol: "__vdso_clock_gettime",
		before: []byte{
			0xb8, 0xe4, 0x00, 0x00, 0x00, // mov eax, clock_gettime
			0x0f, 0x05, // syscall
			0x85, 0xff, // test edi, edi: is it CLOCK_REALTIME?
			0x75, 0x0d, // jne to ret
			0x49, 0xbb, // mov r11, offset
		},
		behind: []byte{
			0x4c, 0x01, 0x1e, // add [rsi], r11: the seconds
			0xc3, // ret
		},
	}, {
		symbol: "__vdso_gettimeofday",
		before: []byte{
			0xb8, 0x60, 0x00, 0x00, 0x00, // mov eax, gettimeofday
			0x0f, 0x05, // syscall
			0x48, 0x85, 0xff, // test rdi, rdi: is the time wanted?
			0x74, 0x0d, // je to ret
			0x49, 0xbb, // mov r11, offset
		},
		behind: []byte{
			0x4c, 0x01, 0x1f, // add [rdi], r11: the seconds
			0xc3, // ret
		},
	}}
}

// Set has the process go by a clock that is ahead of the machine's by so many whole seconds, or behind it. It may be called
// again; zero is the right time.
func Set(t testing.TB, pid int, ahead time.Duration) {
	t.Helper()
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	require.NoError(t, err)
	defer func() { _ = memory.Close() }()
	page, functions := vdso(t, pid, memory)
	for _, r := range replacements() {
		at, ok := functions[r.symbol]
		require.True(t, ok, "no %s in the vDSO", r.symbol)
		offset := binary.LittleEndian.AppendUint64(nil, uint64(int64(ahead/time.Second)))
		if bytes.HasPrefix(page[at.inPage:], r.before) {
			_, err := memory.WriteAt(offset, at.address+int64(len(r.before)))
			require.NoError(t, err)
			continue
		}
		code := append(append(append([]byte(nil), r.before...), offset...), r.behind...)
		elsewhere(t, pid, at.address, at.address+int64(len(code)), func() {
			_, err := memory.WriteAt(code, at.address)
			require.NoError(t, err)
		})
	}
}

// place is where a function of the vDSO is.
type place struct{ inPage, address int64 }

// vdso returns the page of the process and where its functions are.
func vdso(t testing.TB, pid int, memory *os.File) (page []byte, functions map[string]place) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	require.NoError(t, err)
	var from, to int64
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, "[vdso]") {
			_, err := fmt.Sscanf(line, "%x-%x ", &from, &to)
			require.NoError(t, err)
		}
	}
	require.NotZero(t, from, "the process has no vDSO")
	page = make([]byte, to-from)
	_, err = memory.ReadAt(page, from)
	require.NoError(t, err)
	image, err := elf.NewFile(bytes.NewReader(page))
	require.NoError(t, err)
	symbols, err := image.DynamicSymbols()
	require.NoError(t, err)
	functions = make(map[string]place)
	for _, s := range symbols {
		functions[s.Name] = place{int64(s.Value), from + int64(s.Value)} //nolint:gosec // an offset in two pages
	}
	return page, functions
}

// elsewhere calls f while the process stands still and none of its threads is at an address of the range.
func elsewhere(t testing.TB, pid int, from, to int64, f func()) {
	t.Helper()
	const tries = 1000
	for range tries {
		require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
		free := outside(t, pid, from, to)
		if free {
			f()
		}
		require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
		if free {
			return
		}
		<-time.After(time.Millisecond)
	}
	require.FailNow(t, "the process is always looking at its clock")
}

// outside waits until all threads have stopped, and tells whether they did so outside of the range.
func outside(t testing.TB, pid int, from, to int64) bool {
	t.Helper()
	var at []int64
	require.Eventually(t, func() bool {
		at = at[:0]
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
		if err != nil || len(threads) == 0 {
			return false
		}
		for _, thread := range threads {
			text, err := os.ReadFile(thread)
			words := strings.Fields(string(text)) // the last one is the program counter, unless the thread is running
			if err != nil || len(words) < 3 {
				return false
			}
			counter, err := strconv.ParseInt(words[len(words)-1], 0, 64)
			if err != nil {
				return false
			}
			at = append(at, counter)
		}
		return true
	}, 10*time.Second, time.Millisecond, "waiting for process %d to stop", pid)
	for _, counter := range at {
		if counter >= from && counter < to {
			return false
		}
	}
	return true
}
