// Package main_test drives the built program from outside, as users, operators and bad luck do.
package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

// binary is the program under test: POSTHORN_BINARY, or else one that is built for the occasion.
var binary = os.Getenv("POSTHORN_BINARY")

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if binary == "" {
			dir, err := build()
			defer os.RemoveAll(dir)
			if err != nil {
				fmt.Fprintln(os.Stderr, "building the program:", err)
				return 1
			}
		}
		code := m.Run()
		if err := goleak.Find(); err != nil && code == 0 {
			fmt.Fprintln(os.Stderr, "goroutines left behind:", err)
			code = 1
		}
		return code
	}())
}

// build sets binary, to a file in a folder that is to be removed.
func build() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "posthorn-binary-"); err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "posthorn")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	compile := exec.Command("go", "build", "-o", binary, ".")
	compile.Stdout, compile.Stderr = os.Stderr, os.Stderr
	return dir, compile.Run()
}
