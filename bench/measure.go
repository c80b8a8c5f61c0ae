package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/posthorn/posthorn/bench/internal/rig"
	"github.com/posthorn/posthorn/internal/usage"
)

// warmUp precedes each measurement under the same load.
const warmUp = 3 * time.Second

// measurement is what one run of one load on one system gave. Latencies are milliseconds since the event was due to be
// posted; of events that were not accepted, or not received when the driver gave up, they are the time until then.
type measurement struct {
	System    system
	Endpoints int
	Load      load // events/s of a fixed rate; 0: closed loop
	Round     int

	EventsPerSecond     float64 // received everywhere
	DeliveriesPerSecond float64 // received
	AcceptP50           float64 // until the post was answered
	AcceptP99           float64
	ReceivedP50         float64 // until a receiver had it, over all deliveries
	ReceivedP99         float64
	CPUPerEvent         float64 // milliseconds of processor time of the system under test
	Cores               float64 // that it kept busy
	Others              float64 // cores that were busy with neither it nor this process
	RSS                 int64   // resident bytes at the end
	Events              int     // that were due in the window
	Late                int     // deliveries of these that had not arrived when the driver gave up
	Refused             int64   // posts of the process so far that were not answered with success
	Duplicates          int64   // deliveries of the process so far that a receiver already had
}

// measureAll measures every setting once per round, so that a machine that is slow for a while is slow for all.
func measureAll(ctx context.Context, o options, cases []setting) ([]measurement, error) {
	var all []measurement
	for round := range o.rounds {
		for _, s := range cases {
			got, err := measureUndisturbed(ctx, o, s, round)
			if err != nil {
				return nil, fmt.Errorf("%s with %d endpoints: %w", s.system, s.endpoints, err)
			}
			all = append(all, got...)
		}
	}
	return all, nil
}

// maxTries bounds how often a disturbed setting is measured anew.
const maxTries = 10

// measureUndisturbed measures a setting, and does so again if other processes kept the machine busier meanwhile than
// the flags allow.
func measureUndisturbed(ctx context.Context, o options, s setting, round int) ([]measurement, error) {
	for try := 1; ; try++ {
		if err := awaitQuiet(ctx, o.others); err != nil {
			return nil, err
		}
		got, err := measureSetting(ctx, o, s, round)
		disturbed := slices.ContainsFunc(got, func(m measurement) bool { return m.Others > o.others })
		if err != nil || !disturbed || o.others == 0 || try == maxTries {
			return got, err
		}
		fmt.Fprintln(os.Stderr, "that was disturbed by other processes; once more")
	}
}

// awaitQuiet waits until other processes, for some seconds, keep no more cores busy than allowed; 0 allows everything.
func awaitQuiet(ctx context.Context, others float64) error {
	const span, patience = 3 * time.Second, 10 * time.Minute
	for deadline := time.Now().Add(patience); others > 0 && time.Now().Before(deadline); {
		before, err := usage.Machine()
		if err != nil {
			return err
		}
		if err := rig.Pause(ctx, span); err != nil {
			return err
		}
		after, err := usage.Machine()
		if err != nil || (after-before).Seconds()/span.Seconds() <= others {
			return err
		}
	}
	return nil
}

// measureSetting measures the loads of a setting one after the other on one fresh process.
func measureSetting(ctx context.Context, o options, s setting, round int) (all []measurement, err error) {
	d, err := newDriver(ctx, s.system, s.endpoints, o.payload)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()

	for i, l := range s.loads {
		if i > 0 {
			if err := settle(ctx, d); err != nil {
				return nil, err
			}
		}
		m := measurement{System: s.system, Endpoints: s.endpoints, Load: l, Round: round}
		if err := d.measure(ctx, &m, o, s.clients); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	if s.system != posthorn {
		return all, nil // an overloaded one may need very long to end, and there is nothing more to learn from it
	}
	if err := settle(ctx, d); err != nil {
		return nil, err
	}
	return all, verify(ctx, d)
}

// snapshot is how far a system had come at a moment.
type snapshot struct {
	at         time.Time
	deliveries int64
	completed  int64
	usage      usage.Process
	own        time.Duration // processor time of this process
	machine    time.Duration // of the whole machine
}

func (d *driver) snapshot() (s snapshot, err error) {
	s.at, s.deliveries, s.completed = time.Now(), d.receivers.ledger.deliveries.Load(), d.receivers.ledger.completed.Load()
	if s.usage, err = usage.Of(d.process.PID()); err != nil {
		return
	}
	own, err := usage.Of(os.Getpid())
	if err != nil {
		return
	}
	s.own = own.CPU
	s.machine, err = usage.Machine()
	return
}

// measure runs a load, measures a window of it into m, and says so on stderr.
func (d *driver) measure(ctx context.Context, m *measurement, o options, clients int) error {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		if m.Load == closedLoop {
			d.closedLoop(ctx, clients, stop)
		} else {
			d.fixedRate(ctx, m.Load, stop)
		}
	}()
	before, after, err := d.window(ctx, m, o)
	close(stop)
	<-ended
	if err = cmp.Or(err, ctx.Err(), d.problem()); err != nil {
		return err
	}
	events := d.receivers.ledger.between(before.at, after.at)
	deadline, cancel := context.WithTimeout(ctx, deliverPatience)
	defer cancel()
	for _, e := range events {
		if e.wasAccepted() {
			d.await(deadline, e)
		}
	}
	d.evaluate(m, before, after, events)
	fmt.Fprintf(os.Stderr, "%-12s %3d endpoints  %-12s %7.1f events/s  received p50 %.1f ms  others %.2f cores\n",
		m.System, m.Endpoints, m.Load, m.EventsPerSecond, m.ReceivedP50, m.Others)
	return ctx.Err()
}

// window takes one snapshot after the warm-up, and one at the end. It has Posthorn write a profile in between if the
// flags ask for that.
func (d *driver) window(ctx context.Context, m *measurement, o options) (before, after snapshot, err error) {
	if err = rig.Pause(ctx, warmUp); err != nil {
		return
	}
	if m.System == posthorn && o.pprof != "" {
		name := fmt.Sprintf("%d-endpoints-%s-%d.prof", m.Endpoints, strings.NewReplacer(" ", "-", "/", "-").Replace(m.Load.String()), m.Round+1)
		if err = d.process.profile(order{CPUProfile: filepath.Join(o.pprof, name)}); err != nil {
			return
		}
		defer func() { err = cmp.Or(err, d.process.profile(order{})) }()
	}
	if before, err = d.snapshot(); err != nil {
		return
	}
	if err = rig.Pause(ctx, o.duration); err != nil {
		return
	}
	after, err = d.snapshot()
	return
}

func (d *driver) evaluate(m *measurement, before, after snapshot, events []*event) {
	now := time.Now()
	seconds := after.at.Sub(before.at).Seconds()
	cpu := after.usage.CPU - before.usage.CPU
	m.EventsPerSecond = float64(after.completed-before.completed) / seconds
	m.DeliveriesPerSecond = float64(after.deliveries-before.deliveries) / seconds
	m.CPUPerEvent = milliseconds(cpu) / float64(max(after.completed-before.completed, 1))
	m.Cores = cpu.Seconds() / seconds
	m.Others = max((after.machine-before.machine-cpu-(after.own-before.own)).Seconds()/seconds, 0)
	m.RSS = after.usage.RSS
	m.Events = len(events)
	m.Duplicates = d.receivers.ledger.duplicates.Load()
	m.Refused = d.refused.Load()
	var accepted, received []time.Duration
	for _, e := range events {
		e.mu.Lock()
		accepted = append(accepted, cmp.Or(e.accepted, now.Sub(e.due)))
		for _, took := range e.received {
			if took == 0 {
				m.Late++
				took = now.Sub(e.due)
			}
			received = append(received, took)
		}
		e.mu.Unlock()
	}
	m.AcceptP50, m.AcceptP99 = percentiles(accepted)
	m.ReceivedP50, m.ReceivedP99 = percentiles(received)
}
