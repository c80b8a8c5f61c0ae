package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	svix "github.com/svix/svix-webhooks/go"
	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/bench/internal/rig"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/workflows"
)

// phase says whether housekeeping runs.
type phase int

const (
	between phase = iota // it is about to begin or to end
	idle
	running
)

func (p phase) String() string { return [...]string{"begins or ends", "idle", "running"}[p] }

// bench is Posthorn on the data, a receiver, and what was measured.
type bench struct {
	options
	app      *app.App
	temporal client.Client
	receiver *httptest.Server
	request  *http.Request

	mu      sync.Mutex
	phase   phase
	took    map[phase][]time.Duration
	failed  int
	failure error
}

func start(ctx context.Context, o options) (b *bench, err error) {
	cfg := config.Default()
	cfg.Listen, cfg.TemporalListen, cfg.TemporalUIListen, cfg.DataDir = "127.0.0.1:0", "127.0.0.1:0", "", o.dir
	cfg.AllowSubnets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	cfg.Retention = config.Retention{Messages: config.MinKept, Attempts: config.MinKept}
	b = &bench{options: o, took: map[phase][]time.Duration{}}
	b.receiver = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	b.app, err = app.New(cfg, "", slog.New(slog.DiscardHandler))
	if err != nil {
		return b, err
	}
	if err := b.app.Start(ctx); err != nil {
		return b, err
	}
	if b.temporal, err = client.DialContext(ctx, client.Options{HostPort: b.app.TemporalAddress(), Namespace: app.Namespace, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		return b, err
	}
	// It shall run when the measurement says so, and only then.
	if err := b.temporal.ScheduleClient().GetHandle(ctx, workflows.HousekeepingScheduleID).Pause(ctx, client.SchedulePauseOptions{}); err != nil {
		return b, err
	}
	token, err := b.app.Token()
	if err != nil {
		return b, err
	}
	server, err := url.Parse(b.app.URL())
	if err != nil {
		return b, err
	}
	api := svix.New(token, &svix.SvixOptions{ServerUrl: server})
	made, err := api.Application.Create(ctx, &svix.ApplicationIn{Name: "housekeeping"})
	if err != nil {
		return b, err
	}
	if _, err := api.Endpoint.Create(ctx, made.Id, &svix.EndpointIn{Url: b.receiver.URL}); err != nil {
		return b, err
	}
	b.request, err = http.NewRequestWithContext(ctx, http.MethodPost, b.app.URL()+"/api/v1/app/"+made.Id+"/msg", http.NoBody)
	if err != nil {
		return b, err
	}
	b.request.Header.Set("Authorization", "Bearer "+token)
	b.request.Header.Set("Content-Type", "application/json")
	return b, nil
}

func (b *bench) close() error {
	var err error
	if b.temporal != nil {
		b.temporal.Close()
	}
	if b.app != nil {
		err = b.app.Close()
	}
	b.receiver.Close()
	return err
}

// measure posts events all the time, and has housekeeping run in every other stretch.
func (b *bench) measure(ctx context.Context) error {
	posting, stop := context.WithCancel(ctx)
	var posters sync.WaitGroup
	posters.Go(func() { b.post(posting, &posters) })
	defer posters.Wait()
	defer stop()
	if err := rig.Pause(ctx, min(b.stretch, 5*time.Second)); err != nil { // what has just started is slow
		return err
	}
	for round := range b.rounds {
		if err := b.spend(ctx, idle); err != nil {
			return err
		}
		run, err := b.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: fmt.Sprintf("housekeeping-%d", round), TaskQueue: workflows.TaskQueue}, workflows.HousekeepingType)
		if err != nil {
			return err
		}
		if err := b.spend(ctx, running); err != nil {
			return err
		}
		if err := b.temporal.CancelWorkflow(ctx, run.GetID(), ""); err != nil {
			return fmt.Errorf("housekeeping had nothing left to do: %w", err)
		}
		_ = run.Get(ctx, nil) // it was cancelled
	}
	return nil
}

// spend a stretch in a phase.
func (b *bench) spend(ctx context.Context, p phase) error {
	b.enter(p)
	defer b.enter(between)
	return rig.Pause(ctx, b.stretch)
}

func (b *bench) enter(p phase) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.phase = p
}

// post begins an event whenever one is due, however long the earlier ones take.
func (b *bench) post(ctx context.Context, posters *sync.WaitGroup) {
	tick := time.NewTicker(time.Second / time.Duration(b.rate))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case due := <-tick.C:
			posters.Go(func() { b.event(due, n) })
		}
	}
}

// poster gives up on a server that doesn't answer.
var poster = &http.Client{Timeout: time.Minute}

func (b *bench) event(due time.Time, n int) {
	b.mu.Lock()
	p := b.phase
	b.mu.Unlock()
	request := b.request.Clone(b.request.Context())
	request.Body = io.NopCloser(strings.NewReader(fmt.Sprintf(`{"eventType":"order.created","payload":{"number":%d,"text":"%0400d"}}`, n, n)))
	request.ContentLength = -1
	err := accepted(poster.Do(request))
	took := time.Since(due)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.failed++
		b.failure = err
	}
	b.took[p] = append(b.took[p], took)
}

func accepted(response *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("answered %d: %s", response.StatusCode, body)
	}
	return err
}

// contents is what a database holds of what was old when the measurement began.
type contents struct {
	messages, attempts int
	size, free         int64 // bytes
}

func look(ctx context.Context, dir string, old time.Time) (c contents, err error) {
	path := filepath.Join(dir, "posthorn.db")
	if _, err := os.Stat(path); err != nil {
		return c, fmt.Errorf("there is no data: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var page int64
	for query, into := range map[string]any{
		"SELECT count(*) FROM message WHERE id < ?1": &c.messages, "SELECT count(*) FROM attempt WHERE id < ?2": &c.attempts,
		"PRAGMA page_size": &page, "PRAGMA page_count": &c.size, "PRAGMA freelist_count": &c.free,
	} {
		if err := db.QueryRowContext(ctx, query, posthorn.MessageID.Floor(old), posthorn.AttemptID.Floor(old)).Scan(into); err != nil {
			return c, fmt.Errorf("%s: %w", query, err)
		}
	}
	c.size *= page
	c.free *= page
	return c, nil
}

func percentiles(took []time.Duration) (p50, p99, largest float64) {
	if len(took) == 0 {
		return 0, 0, 0
	}
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[max(int(math.Ceil(q*float64(len(took))))-1, 0)]) / float64(time.Millisecond)
	}
	return at(0.50), at(0.99), at(1)
}
