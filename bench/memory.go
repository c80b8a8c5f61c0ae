package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/posthorn/posthorn/bench/internal/rig"
)

const (
	memoryClients = 32
	memorySteps   = 10
	memoryIdle    = 30 * time.Second
)

// measureMemory sends many messages to one endpoint of Posthorn, as fast as it takes them, and prints its memory as it
// goes and after a rest.
func measureMemory(ctx context.Context, o options, out io.Writer) (err error) {
	d, err := newDriver(ctx, posthorn, 1, o.payload)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()

	line := func(what string) error {
		s, err := d.snapshot()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%-22s  resident %4d MiB  peak %4d MiB  CPU %6.2f ms/event\n", what, s.usage.RSS>>20, s.usage.Peak>>20,
			milliseconds(s.usage.CPU)/float64(max(s.completed, 1)))
		return err
	}
	if err := line("started"); err != nil {
		return err
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() { defer close(ended); d.closedLoop(ctx, memoryClients, stop) }()
	err = func() error {
		begin := time.Now()
		for step := range memorySteps {
			target := int64(o.memory * (step + 1) / memorySteps)
			for d.receivers.ledger.completed.Load() < target {
				if err := errors.Join(rig.Pause(ctx, 10*time.Millisecond), d.problem()); err != nil {
					return err
				}
			}
			if err := line(fmt.Sprintf("%d messages", target)); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(out, "%-22s  %.1f\n", "events/s", float64(o.memory)/time.Since(begin).Seconds())
		return err
	}()
	close(stop)
	<-ended
	if err != nil {
		return err
	}
	if err := settle(ctx, d); err != nil {
		return err
	}
	if err := rig.Pause(ctx, memoryIdle); err != nil {
		return err
	}
	if err := line(fmt.Sprintf("%s later", memoryIdle)); err != nil {
		return err
	}
	if o.pprof != "" {
		if err := d.process.profile(order{HeapProfile: filepath.Join(o.pprof, "heap.prof")}); err != nil {
			return err
		}
	}
	return verify(ctx, d)
}
