package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
)

// shared is the one Posthorn that all tests use which neither restart it nor need settings of their own. Its schedule
// has three retries, quick ones.
var shared *app.App

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "posthorn-app-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		shared, err = app.New(testConfig(dir), "", quiet())
		if err != nil {
			panic(err)
		}
		if err := shared.Start(context.Background()); err != nil {
			panic(err)
		}
		code := m.Run()
		if err := shared.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "closing:", err)
			code = 1
		}
		return code
	}())
}

func testConfig(dir string) config.Config {
	cfg := config.Default()
	cfg.Listen, cfg.TemporalListen, cfg.TemporalUIListen = "127.0.0.1:0", "127.0.0.1:0", ""
	cfg.DataDir = dir
	cfg.RetrySchedule = posthorn.Schedule{500 * time.Millisecond, time.Second, 1500 * time.Millisecond}
	cfg.AttemptTimeout = 8 * time.Second
	cfg.Health.BreakerProbeInterval = time.Second
	cfg.AllowSubnets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	return cfg
}

func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

// bundle is what a test works with: an application of its own, and the clients that users and operators have.
type bundle struct {
	t     *testing.T
	ctx   context.Context
	app   *app.App
	token string
	appID string
	svix  *svix.Svix
}

func setup(t *testing.T) *bundle { return setupOn(t, shared) }

func setupOn(t *testing.T, a *app.App) *bundle {
	t.Helper()
	b := &bundle{t: t, ctx: t.Context(), app: a}
	var err error
	b.token, err = a.Token()
	require.NoError(t, err)
	server, err := url.Parse(a.URL())
	require.NoError(t, err)
	b.svix = svix.New(b.token, &svix.SvixOptions{ServerUrl: server})
	made, err := b.svix.Application.Create(b.ctx, &svix.ApplicationIn{Name: t.Name()})
	require.NoError(t, err)
	b.appID = made.Id
	return b
}

// temporal connects as an operator's tool would.
func (b *bundle) temporal() client.Client {
	b.t.Helper()
	c, err := client.Dial(client.Options{HostPort: b.app.TemporalAddress(), Namespace: app.Namespace})
	require.NoError(b.t, err)
	b.t.Cleanup(c.Close)
	return c
}

func (b *bundle) endpoint(in svix.EndpointIn) *svix.EndpointOut {
	b.t.Helper()
	out, err := b.svix.Endpoint.Create(b.ctx, b.appID, &in)
	require.NoError(b.t, err)
	return out
}

// send posts an event whose payload is sent byte by byte as given.
func (b *bundle) send(eventType, payload string) string {
	b.t.Helper()
	status, body := b.request(http.MethodPost, "/msg", fmt.Sprintf(`{"eventType":%q,"payload":%s}`, eventType, payload))
	require.Equal(b.t, http.StatusAccepted, status, "%s", body)
	var out struct{ ID string }
	require.NoError(b.t, json.Unmarshal(body, &out))
	return out.ID
}

// request calls the API below the test's application.
func (b *bundle) request(method, path, body string) (int, []byte) {
	b.t.Helper()
	return b.above(method, "/app/"+b.appID+path, body)
}

// above calls the API above the test's application.
func (b *bundle) above(method, path, body string) (int, []byte) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.ctx, method, b.app.URL()+"/api/v1"+path, strings.NewReader(body))
	require.NoError(b.t, err)
	req.Header.Set("Authorization", "Bearer "+b.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(b.t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	requireDocumented(b.t, req, res, answer)
	return res.StatusCode, answer
}

// attempt is an attempt as the API shows it.
type attempt struct {
	ID                 string
	EndpointID         string
	Status             int
	ResponseStatusCode int
	Response           string
	ResponseEncoding   string
	ResponseTruncated  bool
	TriggerType        int
	Trigger            posthorn.Trigger
	AttemptNumber      int
	ErrorClass         string
	Message            string
	URL                string
	NextAttempt        *time.Time
	ResponseHeaders    map[string]any
}

// attempts returns the attempts of a message, oldest first.
func (b *bundle) attempts(messageID string) []attempt {
	b.t.Helper()
	status, body := b.request(http.MethodGet, "/attempt/msg/"+messageID+"?limit=250", "")
	require.Equal(b.t, http.StatusOK, status, "%s", body)
	var list struct{ Data []attempt }
	require.NoError(b.t, json.Unmarshal(body, &list))
	for i, j := 0, len(list.Data)-1; i < j; i, j = i+1, j-1 {
		list.Data[i], list.Data[j] = list.Data[j], list.Data[i]
	}
	return list.Data
}

// destination is an endpoint of a message as the API shows it.
type destination struct {
	ID          string
	State       posthorn.DeliveryState
	Status      int
	NextAttempt *time.Time
	Attempts    int
	Reason      string
}

func (b *bundle) destinations(messageID string) []destination {
	b.t.Helper()
	status, body := b.request(http.MethodGet, "/msg/"+messageID+"/endpoint", "")
	require.Equal(b.t, http.StatusOK, status, "%s", body)
	var list struct{ Data []destination }
	require.NoError(b.t, json.Unmarshal(body, &list))
	return list.Data
}

// patience is how long tests wait for something that should take a moment: a loaded machine is no failure.
const patience = 2 * time.Minute

// waitState waits until a message's only delivery is in a state.
func (b *bundle) waitState(messageID string, want posthorn.DeliveryState) destination {
	b.t.Helper()
	var last []destination
	require.Eventually(b.t, func() bool {
		last = b.destinations(messageID)
		return len(last) == 1 && last[0].State == want
	}, patience, 20*time.Millisecond, "waiting for %s: %s", want, lazily(func() any { return []any{last, b.attempts(messageID)} }))
	return last[0]
}

// received is a request as a receiver saw it.
type received struct {
	at     time.Time
	path   string
	header http.Header
	body   []byte
}

// receiver is a customer's server. It notes each request before it answers.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []received
}

// newReceiver answers with answer; nil means 200 at once.
func newReceiver(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, n int)) *receiver {
	t.Helper()
	rec := &receiver{}
	rec.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("webhook-id") == "" {
			return // it is for whoever had this port before
		}
		body, _ := io.ReadAll(r.Body)
		rec.mu.Lock()
		rec.requests = append(rec.requests, received{time.Now(), r.URL.Path, r.Header.Clone(), body})
		n := len(rec.requests)
		rec.mu.Unlock()
		if answer != nil {
			answer(w, r, n)
		}
	}))
	t.Cleanup(func() {
		rec.CloseClientConnections()
		rec.Close()
	})
	return rec
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.requests...)
}

// wait returns the requests once there are n of them.
func (r *receiver) wait(t *testing.T, n int) []received {
	t.Helper()
	require.Eventually(t, func() bool { return len(r.all()) >= n }, patience, 5*time.Millisecond, "waiting for %d requests", n)
	return r.all()
}

// always answers every request with a status.
func always(status int) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(status) }
}
