package clustertest

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/binarytest"
	"github.com/posthorn/posthorn/internal/clocktest"
)

// restartDelay is how long after an end of its own accord a program is started again.
const restartDelay = 500 * time.Millisecond

// Program is a program of the cluster with its settings. A run that ends although nobody ended it is followed by another, as
// under any supervisor; what a test ends stays down until the test starts it again.
type Program struct {
	Name string

	t    testing.TB
	path string
	env  []string
	args []string

	mu      sync.Mutex
	wanted  bool
	run     *binarytest.Process
	earlier []*binarytest.Process
	watches sync.WaitGroup
}

// newProgram returns a program that is yet to be started; the end of the test kills it.
func newProgram(t testing.TB, name, path string, env []string, args ...string) *Program {
	p := &Program{Name: name, t: t, path: path, env: env, args: args}
	t.Cleanup(func() {
		p.Kill()
		p.watches.Wait()
		if t.Failed() {
			p.tail()
		}
	})
	return p
}

// Start runs the program and does not wait until it is ready.
func (p *Program) Start() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = true
	require.NoError(p.t, p.launch())
}

func (p *Program) launch() error {
	run, err := binarytest.Launch(p.path, p.env, p.args...)
	if err != nil {
		return err
	}
	if p.run != nil {
		p.earlier = append(p.earlier, p.run)
	}
	p.run = run
	p.watches.Go(func() { p.watch(run) })
	return nil
}

// watch starts the program again when a run of it ends that was wanted.
func (p *Program) watch(run *binarytest.Process) {
	<-run.Ended
	for {
		time.Sleep(restartDelay) //nolint:forbidigo // a supervisor's pause
		p.mu.Lock()
		if !p.wanted || p.run != run {
			p.mu.Unlock()
			return
		}
		p.t.Logf("%s ended by itself with code %d and is started again", p.Name, run.Code)
		err := p.launch()
		p.mu.Unlock()
		if err == nil {
			return
		}
		p.t.Logf("starting %s: %v", p.Name, err)
	}
}

// Kill ends the program as a crash does, and returns when it is gone.
func (p *Program) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = false
	if p.run != nil {
		p.run.Kill()
	}
}

// Signal has an operator's signal reach the program. It is not started again when it ends.
func (p *Program) Signal(signal syscall.Signal) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = false
	require.NoError(p.t, p.run.Cmd.Process.Signal(signal))
}

// Stop ends the program as an operator does, and returns the exit code.
func (p *Program) Stop() int {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	run := p.current()
	select {
	case <-run.Ended:
		return run.Code
	case <-time.After(binarytest.Patience):
		require.FailNow(p.t, "it does not end", "%s\n%s", p.Name, run.Stderr)
		return 0
	}
}

// SetClock has the program go by a clock that is ahead of the machine's, or behind it.
func (p *Program) SetClock(ahead time.Duration) {
	p.t.Helper()
	clocktest.Set(p.t, p.PID(), ahead)
}

// PID is the number of the process.
func (p *Program) PID() int { return p.current().Cmd.Process.Pid }

func (p *Program) current() *binarytest.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run
}

// Runs are the runs of the program so far, the latest last.
func (p *Program) Runs() []*binarytest.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(append([]*binarytest.Process(nil), p.earlier...), p.run)
}

// tail logs what the program said last.
func (p *Program) tail() {
	const lines = 10
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return
	}
	said := append(p.run.Stdout.Lines(), p.run.Stderr.Lines()...)
	for _, line := range said[max(0, len(said)-lines):] {
		p.t.Logf("%s: %.300s", p.Name, line)
	}
}
