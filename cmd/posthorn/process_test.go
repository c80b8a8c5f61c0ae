package main_test

import (
	"testing"

	"github.com/posthorn/posthorn/internal/binarytest"
)

// patience is how long tests wait for something that should take a moment: a loaded machine is no failure.
const patience = binarytest.Patience

// process is one run of the program.
type process = binarytest.Process

// start runs the program without waiting for its end. Settings come from args alone.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return binarytest.Start(t, binary, args...)
}

// run runs the program to its end.
func run(t *testing.T, args ...string) *process {
	t.Helper()
	p := start(t, args...)
	p.Wait(t)
	return p
}
