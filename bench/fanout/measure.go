package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	svix "github.com/svix/svix-webhooks/go"
	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/store/sqlite"
	"github.com/posthorn/posthorn/signing"
)

// inFlight is about how many requests are in flight in every case.
const inFlight = 256

// fanout is an application with so many endpoints.
type fanout struct {
	appID     string
	endpoints []string
}

// bench is Posthorn, a receiver, and the applications.
type bench struct {
	options
	app      *app.App
	temporal client.Client
	api      *svix.Svix
	receiver *receiver
	cases    []fanout
}

func start(ctx context.Context, o options, dir string) (b *bench, err error) {
	b = &bench{options: o}
	if b.receiver, err = startReceiver(ctx, o.down); err != nil {
		return nil, err
	}
	if err := b.makeEndpoints(ctx, filepath.Join(dir, "posthorn.db")); err != nil {
		return b, err
	}
	cfg := config.Default()
	cfg.Listen, cfg.TemporalListen, cfg.TemporalUIListen, cfg.DataDir = "127.0.0.1:0", "127.0.0.1:0", "", dir
	cfg.AllowSubnets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if b.app, err = app.New(cfg, "", slog.New(slog.DiscardHandler)); err != nil {
		return b, err
	}
	if err := b.app.Start(ctx); err != nil {
		return b, err
	}
	b.temporal, err = client.DialContext(ctx, client.Options{
		HostPort: b.app.TemporalAddress(), Namespace: app.Namespace, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
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
	b.api = svix.New(token, &svix.SvixOptions{ServerUrl: server})
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
	b.receiver.close()
	return err
}

// makeEndpoints puts them into the database before Posthorn opens it, many in one commit.
func (b *bench) makeEndpoints(ctx context.Context, path string) (err error) {
	s, err := sqlite.Open(ctx, sqlite.Options{Path: path})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, n := range b.options.endpoints {
		made := posthorn.Application{
			ID: posthorn.ApplicationID.New(), OrgID: posthorn.DefaultOrg, Name: strconv.Itoa(n), CreatedAt: time.Now(), UpdatedAt: time.Now(),
		}
		if err := s.CreateApplication(ctx, made); err != nil {
			return err
		}
		c := fanout{appID: made.ID, endpoints: make([]string, n)}
		problems := make([]error, n)
		var writing sync.WaitGroup
		for i := range c.endpoints {
			writing.Go(func() {
				ep := posthorn.Endpoint{
					ID: posthorn.EndpointID.New(), AppID: made.ID, CreatedAt: time.Now(), UpdatedAt: time.Now(),
					Secrets: []posthorn.Secret{{Key: signing.NewSymmetricKey()}},
				}
				ep.URL = b.receiver.url + "/" + ep.ID
				c.endpoints[i], problems[i] = ep.ID, s.CreateEndpoint(ctx, ep)
			})
		}
		writing.Wait()
		if err := errors.Join(problems...); err != nil {
			return err
		}
		b.cases = append(b.cases, c)
	}
	return nil
}

// result is what was measured with one number of endpoints.
type result struct {
	messages, deliveries int
	took                 time.Duration // all messages
	received, recorded   time.Duration // one message, on average
	cpu                  time.Duration
	events, history      int64 // of the largest history
	peak                 int64
}

func (b *bench) measure(ctx context.Context, c *fanout) (r result, err error) {
	n := len(c.endpoints)
	r.messages = max(b.deliveries/n, 1)
	r.deliveries = r.messages * n
	if _, err := b.deliver(ctx, c); err != nil { // has the endpoints read, and connections made
		return r, err
	}
	forgetPeak()
	if b.profile != "" && n == len(b.cases[len(b.cases)-1].endpoints) {
		file, err := os.Create(b.profile)
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		if err := pprof.StartCPUProfile(file); err != nil {
			return r, err
		}
		defer pprof.StopCPUProfile()
	}
	began, cpu := time.Now(), processorTime()
	var mu sync.Mutex
	var clients sync.WaitGroup
	left := r.messages
	for range min(max(inFlight/n, 1), r.messages) {
		clients.Go(func() {
			for {
				mu.Lock()
				if left == 0 || err != nil {
					mu.Unlock()
					return
				}
				left--
				mu.Unlock()
				one, failure := b.deliver(ctx, c)
				mu.Lock()
				err = errors.Join(err, failure)
				r.received += one.received
				r.recorded += one.recorded
				r.events = max(r.events, one.events)
				r.history = max(r.history, one.history)
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	r.took = time.Since(began)
	r.cpu = processorTime() - cpu
	r.received = seconds(r.received, r.messages)
	r.recorded = seconds(r.recorded, r.messages)
	r.peak = peak()
	return r, err
}

// deliver sends a message and returns when all endpoints have it and that is recorded.
func (b *bench) deliver(ctx context.Context, c *fanout) (r result, err error) {
	payload := map[string]any{"text": strings.Repeat("x", 400)}
	began := time.Now()
	m, err := b.api.Message.Create(ctx, c.appID, &svix.MessageIn{EventType: "order.created", Payload: payload})
	if err != nil {
		return r, fmt.Errorf("sending: %w", err)
	}
	var counts struct{ Endpoints, Delivered int }
	if err := b.temporal.GetWorkflow(ctx, m.Id, "").Get(ctx, &counts); err != nil {
		return r, fmt.Errorf("delivering: %w", err)
	}
	r.recorded = time.Since(began)
	if counts.Delivered != len(c.endpoints) {
		return r, fmt.Errorf("%d of %d endpoints have the message", counts.Delivered, len(c.endpoints))
	}
	s, err := b.receiver.seen(ctx, m.Id)
	if err != nil {
		return r, err
	}
	if s.Requests != len(c.endpoints) {
		return r, fmt.Errorf("%d endpoints got %d requests", len(c.endpoints), s.Requests)
	}
	r.received = s.Last.Sub(began)
	described, err := b.temporal.DescribeWorkflowExecution(ctx, m.Id, "")
	if err != nil {
		return r, err
	}
	info := described.GetWorkflowExecutionInfo()
	r.events, r.history = info.GetHistoryLength(), info.GetHistorySizeBytes()
	return r, nil
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// forgetPeak has the kernel begin anew with the peak of this process's memory.
func forgetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// peak is the most memory that this process has had resident since, in bytes.
func peak() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	_, _ = fmt.Sscan(line, &kib)
	return kib << 10
}
