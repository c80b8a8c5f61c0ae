package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/posthorn/posthorn/bench/internal/rig"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
)

// result is what one run has shown.
type result struct {
	refused   int64         // requests that the dead endpoint got
	dead      time.Duration // how long it was dead: until everything was held or given up
	delivered int64         // messages that it got after its return
	released  time.Duration // how long that took
}

// bench is a Posthorn with one endpoint, and its receiver.
type bench struct {
	app      *app.App
	token    string
	appID    string
	endpoint string
	client   http.Client

	alive    atomic.Bool
	refused  atomic.Int64
	accepted atomic.Int64
}

func measure(ctx context.Context, o options, failures int) (r result, err error) {
	dir, err := os.MkdirTemp("", "posthorn-breaker-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg := config.Default()
	cfg.Listen, cfg.TemporalListen, cfg.TemporalUIListen, cfg.DataDir = "127.0.0.1:0", "127.0.0.1:0", "", dir
	cfg.AllowSubnets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	cfg.RetrySchedule, cfg.Health.BreakerFailures, cfg.Health.BreakerProbeInterval = o.schedule, failures, o.probe
	b := &bench{client: http.Client{Timeout: time.Minute}}
	if b.app, err = app.New(cfg, "", slog.New(slog.DiscardHandler)); err != nil {
		return r, err
	}
	if err := b.app.Start(ctx); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.app.Close()) }()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if b.alive.Load() {
			b.accepted.Add(1)
			return
		}
		b.refused.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer receiver.Close()
	if err := b.prepare(ctx, receiver.URL); err != nil {
		return r, err
	}

	begin := time.Now()
	if err := b.post(ctx, o); err != nil {
		return r, err
	}
	held, err := b.settle(ctx)
	if err != nil {
		return r, err
	}
	r.refused, r.dead = b.refused.Load(), time.Since(begin)
	back := time.Now()
	b.alive.Store(true)
	for b.accepted.Load() < int64(held) {
		if err := rig.Pause(ctx, 100*time.Millisecond); err != nil {
			return r, err
		}
	}
	r.delivered, r.released = b.accepted.Load(), time.Since(back)
	return r, nil
}

func (b *bench) prepare(ctx context.Context, url string) (err error) {
	if b.token, err = b.app.Token(); err != nil {
		return err
	}
	var made struct{ ID string }
	if err := b.call(ctx, http.MethodPost, "/app", map[string]any{"name": "bench"}, &made); err != nil {
		return err
	}
	b.appID = made.ID
	err = b.call(ctx, http.MethodPost, "/app/"+b.appID+"/endpoint", map[string]any{"url": url}, &made)
	b.endpoint = made.ID
	return err
}

func (b *bench) post(ctx context.Context, o options) error {
	posting, ctx := errgroup.WithContext(ctx)
	posting.SetLimit(o.clients)
	for n := range o.messages {
		posting.Go(func() error {
			in := map[string]any{"eventType": "order.created", "eventId": strconv.Itoa(n), "payload": map[string]any{"n": n}}
			for again := false; ; again = true {
				err := b.call(ctx, http.MethodPost, "/app/"+b.appID+"/msg", in, nil)
				if again && errors.Is(err, errStored) {
					return nil
				}
				if !errors.Is(err, errBusy) {
					return err
				}
				if err := rig.Pause(ctx, time.Second); err != nil {
					return err
				}
			}
		})
	}
	return posting.Wait()
}

// settle returns how many messages are held once all others have been given up.
func (b *bench) settle(ctx context.Context) (held int, err error) {
	const calm = 3 // looks without anything under way, a second apart: what was just accepted is in no figure yet
	for looks := 0; looks < calm; looks++ {
		if err := rig.Pause(ctx, time.Second); err != nil {
			return 0, err
		}
		var stats struct{ Pending, Sending int }
		if err := b.call(ctx, http.MethodGet, "/app/"+b.appID+"/endpoint/"+b.endpoint+"/stats", nil, &stats); err != nil {
			return 0, err
		}
		var health struct{ Held map[string]int }
		if err := b.call(ctx, http.MethodGet, "/app/"+b.appID+"/endpoint/"+b.endpoint+"/health", nil, &health); err != nil {
			return 0, err
		}
		held = health.Held["circuit_open"]
		if stats.Pending+stats.Sending > held {
			looks = -1
		}
	}
	return held, nil
}

var (
	// errBusy asks to come again: the eventId keeps what was stored nevertheless from being stored twice.
	errBusy = errors.New("the server is busy")
	// errStored says that it was.
	errStored = errors.New("the event is stored already")
)

// call calls the API. Out gets the answer, unless it is nil.
func (b *bench) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, b.app.URL()+"/api/v1"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+b.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	switch res.StatusCode {
	case http.StatusServiceUnavailable:
		return errBusy
	case http.StatusConflict:
		return errStored
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s %s", method, path, res.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}
