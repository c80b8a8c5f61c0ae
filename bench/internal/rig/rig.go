// Package rig is what measurements have in common: what is measured runs in a process of its own, and they wait.
package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// startPatience is how long a child may take until it is ready.
const startPatience = time.Minute

// Child is the running program once more, as what is measured. It ends with its input, so it does not outlive its parent,
// whatever happens to that.
type Child struct {
	Dir string // fresh, for its data; Close removes it
	In  io.Writer
	Out io.Reader

	cmd          *exec.Cmd
	in           io.Closer
	stopPatience time.Duration
}

// Kind says which child it is to be.
type Kind struct {
	Name         string        // for errors, and for the name of the folder
	Argument     string        // the only one, by which the program knows what it is
	StopPatience time.Duration // how long it may take to end
}

// Start runs this program again. Greet tells the child what it has to know, and returns when that is ready.
func Start(ctx context.Context, kind Kind, greet func(*Child) error) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &Child{cmd: exec.Command(self, kind.Argument), stopPatience: kind.StopPatience}
	if c.Dir, err = os.MkdirTemp("", "posthorn-bench-"); err != nil {
		return nil, err
	}
	// A Ctrl-C of the terminal reaches the parent only, which then ends the child in order.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.Stderr = os.Stderr
	if err := c.launch(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.Dir))
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = c.cmd.Process.Kill() })()
	if err := greet(c); err != nil {
		_, ended := c.Close()
		return nil, fmt.Errorf("starting %s: %w", kind.Name, errors.Join(context.Cause(ctx), err, ended))
	}
	return c, nil
}

func (c *Child) launch() error {
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return err
	}
	c.In, c.Out, c.in = in, out, in
	return c.cmd.Start()
}

// PID is the number of the process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Close ends the child and removes its data. One that takes long is killed, which is no error.
func (c *Child) Close() (killed bool, err error) {
	_ = c.in.Close() // it may be gone already
	force := time.AfterFunc(c.stopPatience, func() { _ = c.cmd.Process.Kill() })
	err = c.cmd.Wait()
	if killed = !force.Stop(); killed {
		err = nil
	}
	return killed, errors.Join(err, os.RemoveAll(c.Dir))
}

// Pause waits, or returns the error of a context that ends meanwhile.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
