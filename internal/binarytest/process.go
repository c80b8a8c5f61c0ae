package binarytest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Patience is how long tests wait for something that should take a moment: a loaded machine is no failure.
const Patience = 60 * time.Second

// Process is one run of a program.
type Process struct {
	Cmd     *exec.Cmd
	Began   time.Time
	Stdout  *Output
	Stderr  *Output
	Ended   chan struct{} // closed when it is gone; then Code and EndedAt are set
	Code    int           // -1 if a signal ended it
	EndedAt time.Time
}

// Start runs a program without waiting for its end; the end of the test ends it. Settings come from args alone: POSTHORN_*
// variables are not handed on.
func Start(t *testing.T, program string, args ...string) *Process {
	t.Helper()
	p, err := Launch(program, nil, args...)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	return p
}

// Launch runs a program until somebody ends it, with the given variables beside those of this process, whose POSTHORN_* and
// TEMPORAL_* variables are not handed on.
func Launch(program string, env []string, args ...string) (*Process, error) {
	p := &Process{Cmd: exec.CommandContext(context.Background(), program, args...), Stdout: newOutput(), Stderr: newOutput(), Ended: make(chan struct{})}
	p.Cmd.Stdout, p.Cmd.Stderr = p.Stdout, p.Stderr
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "POSTHORN_") && !strings.HasPrefix(variable, "TEMPORAL_") {
			p.Cmd.Env = append(p.Cmd.Env, variable)
		}
	}
	p.Cmd.Env = append(p.Cmd.Env, env...)
	p.Began = time.Now()
	if err := p.Cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.Ended)
		if err := p.Cmd.Wait(); err != nil {
			if _, exited := errors.AsType[*exec.ExitError](err); !exited {
				p.Code = -2
				return
			}
		}
		p.Code, p.EndedAt = p.Cmd.ProcessState.ExitCode(), time.Now()
	}()
	return p, nil
}

// Wait returns the exit code.
func (p *Process) Wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.Ended:
		return p.Code
	case <-time.After(Patience):
		require.FailNow(t, "the process does not end", "%s\n%s", p.Cmd, p.Stderr)
		return 0
	}
}

// Kill ends the process as a crash does, and returns when it is gone.
func (p *Process) Kill() {
	_ = p.Cmd.Process.Kill() // it may be gone already
	<-p.Ended
}

// Stop ends the process as an operator does, and returns the exit code.
func (p *Process) Stop(t *testing.T) int {
	t.Helper()
	require.NoError(t, p.Cmd.Process.Signal(syscall.SIGTERM))
	return p.Wait(t)
}

// Await returns the output once it holds text. It fails when the process ends without.
func (p *Process) Await(t *testing.T, o *Output, text string) string {
	t.Helper()
	deadline := time.After(Patience)
	for {
		printed, changed := o.read()
		if strings.Contains(printed, text) {
			return printed
		}
		select {
		case <-changed:
		case <-p.Ended:
			require.Contains(t, o.String(), text, "it ended with code %d and said\n%s", p.Code, p.Stderr)
		case <-deadline:
			require.FailNow(t, "waiting for the program to print "+text, "%s\n%s", p.Stdout, p.Stderr)
		}
	}
}
