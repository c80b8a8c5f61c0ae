package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// deliverPatience is how long the driver waits for an event to be received everywhere, and for posts.
	deliverPatience = 30 * time.Second
	eventType       = "bench.event"
)

// driver posts events to one system and knows what became of them.
type driver struct {
	process   *process
	system    system
	receivers *receivers
	payload   int // bytes
	client    *http.Client
	appID     string // Posthorn only

	refused atomic.Int64 // posts that were not answered with success
}

// newDriver starts a system with so many endpoints and sets it up.
func newDriver(ctx context.Context, s system, endpoints, payload int) (*driver, error) {
	r, err := newReceivers(endpoints)
	if err != nil {
		return nil, err
	}
	p, err := startProcess(ctx, s, r.targets)
	if err != nil {
		r.close()
		return nil, err
	}
	const connections = 4096 // more than are ever needed, so that none is opened twice
	d := &driver{
		process: p, system: s, receivers: r, payload: payload,
		client: &http.Client{
			Timeout:   deliverPatience,
			Transport: &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections},
		},
	}
	if s == posthorn {
		err = d.createApplication(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *driver) close() error {
	d.client.CloseIdleConnections()
	err := d.process.close()
	d.receivers.close()
	return err
}

// createApplication makes an application with all endpoints through Posthorn's API.
func (d *driver) createApplication(ctx context.Context) error {
	var out struct{ ID string }
	if err := d.call(ctx, http.MethodPost, "/api/v1/app", []byte(`{"name":"bench"}`), &out); err != nil {
		return err
	}
	d.appID = out.ID
	for _, t := range d.receivers.targets {
		in, err := json.Marshal(map[string]string{"url": t.URL, "secret": t.Secret})
		if err != nil {
			return err
		}
		if err := d.call(ctx, http.MethodPost, "/api/v1/app/"+d.appID+"/endpoint", in, &out); err != nil {
			return err
		}
	}
	return nil
}

// call makes a request to the system's API and decodes the answer.
func (d *driver) call(ctx context.Context, method, path string, in []byte, out any) (err error) {
	req, err := http.NewRequestWithContext(ctx, method, d.process.API+path, bytes.NewReader(in))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if d.process.Token != "" {
		req.Header.Set("Authorization", "Bearer "+d.process.Token)
	}
	res, err := d.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.200s", method, path, res.Status, body)
	}
	return json.Unmarshal(body, out)
}

// post sends one event that was due at a moment and returns it when the system has answered.
func (d *driver) post(ctx context.Context, due time.Time) *event {
	sequence, e := d.receivers.ledger.add(due)
	body := fmt.Appendf(nil, `{"eventType":%q,"payload":%s}`, eventType, payload(sequence, d.payload))
	path := "/events"
	if d.system == posthorn {
		path = "/api/v1/app/" + d.appID + "/msg"
	}
	var out struct{ ID string }
	if err := d.call(ctx, http.MethodPost, path, body, &out); err != nil {
		if d.refused.Add(1) == 1 && ctx.Err() == nil {
			fmt.Fprintf(os.Stderr, "%s refused a post: %v\n", d.system, err)
		}
		return e
	}
	e.accept(out.ID, time.Now())
	return e
}

// problem returns what makes all figures worthless, if anything does: a delivery that was not as it should be. A
// refused post does not, it is one of the figures.
func (d *driver) problem() error {
	if text := d.receivers.problem.Load(); text != nil {
		return errors.New(*text)
	}
	return nil
}

// closedLoop keeps clients busy until stop is closed: each posts an event, waits until it is received everywhere, and
// posts the next. It returns when all have ended.
func (d *driver) closedLoop(ctx context.Context, clients int, stop <-chan struct{}) {
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for d.problem() == nil {
				select {
				case <-stop:
					return
				case <-ctx.Done():
					return
				default:
				}
				if e := d.post(ctx, time.Now()); e.wasAccepted() {
					d.await(ctx, e)
				}
			}
		})
	}
	wg.Wait()
}

// fixedRate posts events at a rate, whether or not the earlier ones have been answered, until stop is closed. It
// returns when all posts are answered.
func (d *driver) fixedRate(ctx context.Context, perSecond load, stop <-chan struct{}) {
	var wg sync.WaitGroup
	defer wg.Wait()
	interval := time.Second / time.Duration(perSecond)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for due := time.Now(); d.problem() == nil; due = due.Add(interval) {
		timer.Reset(time.Until(due))
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-timer.C:
			wg.Go(func() { d.post(ctx, due) })
		}
	}
}

// await waits until an event is received everywhere. It gives up after a while: an event that was lost shows in the
// figures, not in a hanging benchmark.
func (d *driver) await(ctx context.Context, e *event) {
	timer := time.NewTimer(deliverPatience)
	defer timer.Stop()
	select {
	case <-e.done:
	case <-timer.C:
	case <-ctx.Done():
	}
}
