package main_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long tests wait for something that should take a moment: a loaded machine is no failure.
const patience = 60 * time.Second

// process is one run of the program.
type process struct {
	cmd     *exec.Cmd
	began   time.Time
	stdout  *output
	stderr  *output
	ended   chan struct{} // closed when it is gone; then code is set
	code    int           // -1 if a signal ended it
	endedAt time.Time
}

// start runs the program without waiting for its end. Settings come from args alone.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, args...), stdout: newOutput(), stderr: newOutput(), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "POSTHORN_") {
			p.cmd.Env = append(p.cmd.Env, variable)
		}
	}
	p.began = time.Now()
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		if err := p.cmd.Wait(); err != nil {
			if _, exited := errors.AsType[*exec.ExitError](err); !exited {
				p.code = -2
				return
			}
		}
		p.code, p.endedAt = p.cmd.ProcessState.ExitCode(), time.Now()
	}()
	t.Cleanup(p.kill)
	return p
}

// run runs the program to its end.
func run(t *testing.T, args ...string) *process {
	t.Helper()
	p := start(t, args...)
	p.wait(t)
	return p
}

// wait returns the exit code.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.code
	case <-time.After(patience):
		require.FailNow(t, "the process does not end", "%s\n%s", p.cmd, p.stderr)
		return 0
	}
}

// kill ends the process as a crash does, and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.ended
}

// stop ends the process as an operator does, and returns the exit code.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	return p.wait(t)
}

// output collects what a process prints.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed and replaced by every write
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(b)
}

func (o *output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

func (o *output) String() string {
	text, _ := o.read()
	return text
}

// lines are those printed so far.
func (o *output) lines() []string {
	return strings.FieldsFunc(o.String(), func(r rune) bool { return r == '\n' })
}

// await returns the output once it holds text. It fails when the process ends without.
func (p *process) await(t *testing.T, o *output, text string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		printed, changed := o.read()
		if strings.Contains(printed, text) {
			return printed
		}
		select {
		case <-changed:
		case <-p.ended:
			require.Contains(t, o.String(), text, "it ended with code %d and said\n%s", p.code, p.stderr)
		case <-deadline:
			require.FailNow(t, "waiting for the program to print "+text, "%s\n%s", p.stdout, p.stderr)
		}
	}
}
