package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/posthorn/posthorn/bench/internal/rig"
)

const stopPatience = 20 * time.Second

// process is a system under test, seen from the driver.
type process struct {
	address
	*rig.Child
	orders  *json.Encoder
	answers *json.Decoder
}

// startProcess runs this program again as a system under test, in a fresh folder, and returns when it takes events.
func startProcess(ctx context.Context, s system, targets []target) (*process, error) {
	p := new(process)
	kind := rig.Kind{Name: string(s), Argument: childCommand, StopPatience: stopPatience}
	child, err := rig.Start(ctx, kind, func(c *rig.Child) error {
		p.orders, p.answers = json.NewEncoder(c.In), json.NewDecoder(c.Out)
		if err := p.orders.Encode(assignment{System: s, Dir: c.Dir, Targets: targets}); err != nil {
			return err
		}
		return p.answers.Decode(&p.address)
	})
	if err != nil {
		return nil, err
	}
	p.Child = child
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
	killed, err := p.Close()
	if killed {
		fmt.Fprintf(os.Stderr, "a system under test had not ended after %s and was killed\n", stopPatience)
	}
	return err
}
