package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testTokenSecret = []byte("a secret that only the tests know")

// bundle is an API on a real store behind a real server.
type bundle struct {
	t          testing.TB
	url        string
	store      *sqlite.Store
	dispatcher *fakeTemporal
	tokens     *Tokens
	org        string // token of the organisation
	log        *syncBuffer
}

func setup(t testing.TB) *bundle {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "posthorn.db"), Durability: sqlite.Normal})
	require.NoError(t, err)
	tokens, err := NewTokens(testTokenSecret)
	require.NoError(t, err)
	org, err := tokens.Organisation(posthorn.DefaultOrg)
	require.NoError(t, err)
	b := &bundle{t: t, store: db, dispatcher: &fakeTemporal{attempts: db}, tokens: tokens, org: org, log: &syncBuffer{}}
	server, err := New(Options{
		Store: db, Dispatcher: b.dispatcher, Tokens: tokens, Version: "1.2.3",
		Logger: newLogger(b.log),
	})
	require.NoError(t, err)
	listener := httptest.NewServer(server.Handler())
	b.url = listener.URL
	t.Cleanup(func() {
		listener.Close()
		http.DefaultClient.CloseIdleConnections()
		require.NoError(t, db.Close())
	})
	return b
}

// in is the bundle for a subtest or a fuzz target.
func (b *bundle) in(t testing.TB) *bundle {
	c := *b
	c.t = t
	return &c
}

func newLogger(to io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// fakeTemporal stands in for Temporal only: it records what it is asked to begin.
type fakeTemporal struct {
	mu      sync.Mutex
	started []posthorn.Message
	resent  []string // message and endpoint id
	tasks   []posthorn.Task
	err     error

	cancelled []string // tasks

	attempts store.Deliveries // where it records attempts
}

func (f *fakeTemporal) Start(_ context.Context, m posthorn.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	if slices.ContainsFunc(f.started, func(started posthorn.Message) bool { return started.ID == m.ID }) {
		return posthorn.Errorf(posthorn.Conflict, "the delivery of %s has begun before", m.ID)
	}
	f.started = append(f.started, m)
	return nil
}

func (f *fakeTemporal) Resend(_ context.Context, m posthorn.Message, endpointID string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resent = append(f.resent, m.ID+" "+endpointID)
	return f.err
}

func (f *fakeTemporal) StartTask(_ context.Context, t posthorn.Task) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tasks = append(f.tasks, t)
	return f.err
}

func (f *fakeTemporal) Cancelled(context.Context, posthorn.Message, bool, []posthorn.Delivery) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// CancelTask knows no workflow of a task that was not started.
func (f *fakeTemporal) CancelTask(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil && !slices.ContainsFunc(f.tasks, func(t posthorn.Task) bool { return t.ID == id }) {
		return posthorn.Errorf(posthorn.NotFound, "no workflow")
	}
	f.cancelled = append(f.cancelled, id)
	return f.err
}

// SendNow records an attempt that got 204.
func (f *fakeTemporal) SendNow(ctx context.Context, m posthorn.Message, endpointID string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return "", f.err
	}
	id := posthorn.AttemptID.New()
	_, err := f.attempts.Record(ctx, store.Record{MessageID: m.ID, AppID: m.AppID, Attempts: []posthorn.Attempt{{
		ID: id, MessageID: m.ID, AppID: m.AppID, EndpointID: endpointID, EventType: m.EventType, Trigger: posthorn.Manual,
		StartedAt: time.Now(), Success: true, Status: http.StatusNoContent,
	}}})
	return id, err
}

func (f *fakeTemporal) Ping(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *fakeTemporal) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeTemporal) startedMessages() []posthorn.Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.started)
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	body   string
}

// field returns a string of a JSON answer.
func (r reply) field(t testing.TB, name string) string {
	t.Helper()
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(r.body), &fields), r.body)
	var value string
	if raw, ok := fields[name]; ok {
		require.NoError(t, json.Unmarshal(raw, &value), r.body)
	}
	return value
}

// page is the answer of a list.
type page struct {
	Data         []map[string]any
	Iterator     *string
	PrevIterator *string
	Done         bool
}

func (r reply) page(t testing.TB) page {
	t.Helper()
	require.Equal(t, http.StatusOK, r.status, r.body)
	var p page
	require.NoError(t, json.Unmarshal([]byte(r.body), &p), r.body)
	return p
}

// keys are the values that a field has in a page.
func (p page) keys(field string) []string {
	keys := make([]string, 0, len(p.Data))
	for _, item := range p.Data {
		key, _ := item[field].(string)
		keys = append(keys, key)
	}
	return keys
}

// do calls the API with the organisation's token.
func (b *bundle) do(method, path, body string) reply {
	b.t.Helper()
	return b.as(b.org, method, path, body)
}

// as calls the API with a token; none if it is empty.
func (b *bundle) as(token, method, path, body string) reply {
	b.t.Helper()
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return b.with(header, method, path, body)
}

func (b *bundle) with(header http.Header, method, path, body string) reply {
	b.t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.url+basePath+path, content)
	require.NoError(b.t, err)
	request.Header = header
	return b.send(request)
}

// send makes a request, and holds the answer to the OpenAPI document.
func (b *bundle) send(request *http.Request) reply {
	b.t.Helper()
	response, err := http.DefaultClient.Do(request)
	require.NoError(b.t, err)
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	checkExchange(b.t, request, response, read)
	return reply{status: response.StatusCode, header: response.Header, body: string(read)}
}

// must calls the API, demands a status and returns the id in the answer.
func (b *bundle) must(status int, method, path, body string) string {
	b.t.Helper()
	r := b.do(method, path, body)
	require.Equal(b.t, status, r.status, "%s %s: %s", method, path, r.body)
	if r.body == "" {
		return ""
	}
	return r.field(b.t, "id")
}

// application makes an application and returns its id.
func (b *bundle) application() string {
	b.t.Helper()
	return b.must(http.StatusCreated, "POST", "/app", `{"name":"Acme"}`)
}

// endpoint makes an endpoint and returns its id.
func (b *bundle) endpoint(app, body string) string {
	b.t.Helper()
	return b.must(http.StatusCreated, "POST", "/app/"+app+"/endpoint", body)
}

// message makes a message and returns its id.
func (b *bundle) message(app, body string) string {
	b.t.Helper()
	return b.must(http.StatusAccepted, "POST", "/app/"+app+"/msg", body)
}

// scenario is one call and what its answer has to be. Paths and bodies may name what exists as {app}, {ep} and so on.
type scenario struct {
	name     string
	token    string // the organisation's unless given
	method   string
	path     string
	body     string
	status   int
	contains []string
	excludes []string
}

func (b *bundle) run(t *testing.T, names *strings.Replacer, scenarios []scenario) {
	t.Helper()
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			token := b.org
			if sc.token != "" {
				token = sc.token
			}
			r := b.in(t).as(token, sc.method, names.Replace(sc.path), names.Replace(sc.body))
			require.Equal(t, sc.status, r.status, r.body)
			for _, want := range sc.contains {
				require.Contains(t, r.body, names.Replace(want))
			}
			for _, unwanted := range sc.excludes {
				require.NotContains(t, r.body, names.Replace(unwanted))
			}
		})
	}
}
