// Package disktest has disks that can be full, for tests.
package disktest

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/tooltest"
)

// New mounts a disk of so many bytes, in memory, and returns its folder. The end of the test unmounts it. Without the right
// to mount, it ends the test as tooltest.Absent does.
func New(t testing.TB, bytes int) (folder string) {
	t.Helper()
	folder = t.TempDir()
	output, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size="+strconv.Itoa(bytes), "tmpfs", folder).CombinedOutput()
	if err != nil {
		tooltest.Absent(t, "mounting a small disk: %v: %s", err, output)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(folder, syscall.MNT_DETACH)) })
	return folder
}

// Fill writes a file until nothing more fits on its disk.
func Fill(t testing.TB, file string) {
	t.Helper()
	f, err := os.Create(file)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	for size := 1 << 20; size > 0; {
		_, err := f.Write(make([]byte, size))
		switch {
		case errors.Is(err, syscall.ENOSPC):
			size /= 4
		default:
			require.NoError(t, err)
		}
	}
}
