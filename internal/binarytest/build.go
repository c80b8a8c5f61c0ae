// Package binarytest builds the shipped program and runs it from outside, as users, operators and bad luck do. It is for
// tests only.
package binarytest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Build returns the path of the program under test: POSTHORN_BINARY if that is set, and otherwise one that is built for
// the occasion. Remove deletes what was built; call it in any case.
func Build() (path string, remove func(), err error) {
	if given := os.Getenv("POSTHORN_BINARY"); given != "" {
		return given, func() {}, nil
	}
	return BuildPackage("github.com/posthorn/posthorn/cmd/posthorn")
}

// BuildPackage builds the program of a main package. Remove deletes it; call it in any case.
func BuildPackage(name string) (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "posthorn-binary-")
	if err != nil {
		return "", func() {}, err
	}
	remove = func() { _ = os.RemoveAll(dir) } // a leftover in the folder for temporary files is no failure
	path = filepath.Join(dir, filepath.Base(name))
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	compile := exec.CommandContext(context.Background(), "go", "build", "-o", path, name)
	compile.Stdout, compile.Stderr = os.Stderr, os.Stderr
	if err := compile.Run(); err != nil {
		return "", remove, fmt.Errorf("building %s: %w", name, err)
	}
	return path, remove, nil
}
