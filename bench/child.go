package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
)

// The driver and a system under test talk in JSON values, one after the other, over the pipes of the child: an
// assignment and its answer, then orders, each answered with a report. The end of the input ends the child, so it
// does not outlive the driver, whatever happens to that.

// assignment says what a child is to be.
type assignment struct {
	System  system
	Dir     string // fresh, for its data
	Targets []target
}

// address says where a child is to be found.
type address struct {
	API      string // base URL
	Token    string // for the Authorization header; may be empty
	Temporal string // host:port
}

// order asks a child for something.
type order struct {
	CPUProfile  string // file to start a processor profile in
	HeapProfile string // file to write a profile of the memory in use to; both empty: end the processor profile
}

// report is the answer to an order.
type report struct {
	Error string
}

// service is a running system under test.
type service interface {
	address() (address, error)
	close() error
}

// runChild is the life of a system under test.
func runChild(in io.Reader, out io.Writer) (err error) {
	orders, answers := json.NewDecoder(in), json.NewEncoder(out)
	var a assignment
	if err := orders.Decode(&a); err != nil {
		return fmt.Errorf("reading the assignment: %w", err)
	}
	s, err := startService(context.Background(), a)
	if err != nil {
		return fmt.Errorf("starting %s: %w", a.System, err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	where, err := s.address()
	if err != nil {
		return err
	}
	if err := answers.Encode(where); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("reading an order: %w", err)
		}
		var r report
		if err := profile(o); err != nil {
			r.Error = err.Error()
		}
		if err := answers.Encode(r); err != nil {
			return err
		}
	}
}

func startService(ctx context.Context, a assignment) (service, error) {
	switch a.System {
	case posthorn:
		return startPosthorn(ctx, a)
	case naive, naiveWAL, naiveTuned:
		return startNaive(ctx, a)
	}
	return nil, errors.New("no such system")
}

func profile(o order) error {
	if o.HeapProfile != "" {
		return heapProfile(o.HeapProfile)
	}
	pprof.StopCPUProfile()
	if o.CPUProfile == "" {
		return nil
	}
	f, err := os.Create(o.CPUProfile)
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(f) // the file stays open until the process ends
}

func heapProfile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	runtime.GC() // the profile is of the last collection
	return errors.Join(pprof.WriteHeapProfile(f), f.Close())
}
