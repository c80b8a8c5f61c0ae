package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	startPatience = time.Minute
	stopPatience  = 20 * time.Second
)

// process is a system under test, seen from the driver.
type process struct {
	address
	cmd     *exec.Cmd
	dir     string
	in      io.WriteCloser
	orders  *json.Encoder
	answers *json.Decoder
}

// startProcess runs this program again as a system under test, in a fresh folder, and returns when it takes events.
func startProcess(ctx context.Context, s system, targets []target) (p *process, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "posthorn-bench-")
	if err != nil {
		return nil, err
	}
	p = &process{dir: dir, cmd: exec.Command(self, childCommand)}
	// A Ctrl-C of the terminal reaches the driver only, which then ends the child in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.in, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	p.orders, p.answers = json.NewEncoder(p.in), json.NewDecoder(out)

	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })()
	err = p.orders.Encode(assignment{System: s, Dir: dir, Targets: targets})
	if err == nil {
		err = p.answers.Decode(&p.address)
	}
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", s, errors.Join(context.Cause(ctx), err, p.close()))
	}
	return p, nil
}

// profile has the child start, end or write a profile.
func (p *process) profile(o order) error {
	if err := p.orders.Encode(o); err != nil {
		return err
	}
	var r report
	if err := p.answers.Decode(&r); err != nil {
		return err
	}
	if r.Error != "" {
		return fmt.Errorf("profiling: %s", r.Error)
	}
	return nil
}

// close ends the child, by force if it takes long, and removes its data.
func (p *process) close() error {
	_ = p.in.Close() // it may be gone already
	force := time.AfterFunc(stopPatience, func() { _ = p.cmd.Process.Kill() })
	err := p.cmd.Wait()
	if !force.Stop() {
		fmt.Fprintf(os.Stderr, "a system under test had not ended after %s and was killed\n", stopPatience)
		err = nil
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}
