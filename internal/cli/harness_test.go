package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/posthorn/posthorn/api"
	"github.com/posthorn/posthorn/internal/config"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // what the linked packages have started is not ours
}

// output is a stream that a test reads while a command still writes to it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// awaitText waits until the text is there.
func (o *output) awaitText(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(o.String(), text) }, 10*time.Second, 2*time.Millisecond,
		"waiting for %q", text)
}

// bundle is a program with everything outside it under the test's control.
type bundle struct {
	program        *program
	stdout, stderr *output
	env            map[string]string
	dataDir        string // holds a secret
	configured     config.Config
	jwt            config.JWT
	server         *fakeServer
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{
		stdout:  &output{},
		stderr:  &output{},
		env:     make(map[string]string),
		dataDir: t.TempDir(),
		server:  &fakeServer{url: "http://127.0.0.1:8071", ui: "http://127.0.0.1:8233", token: "org.token"},
	}
	require.NoError(t, os.WriteFile(filepath.Join(b.dataDir, "jwt-secret"), []byte("secret"), 0o600))
	b.program = &program{
		stdin:  strings.NewReader(""),
		stdout: b.stdout,
		stderr: b.stderr,
		env: func(name string) (string, bool) {
			value, ok := b.env[name]
			return value, ok
		},
		now:  time.Now,
		name: "posthorn",
		newServer: func(cfg config.Config, _ *slog.Logger) (server, error) {
			b.configured = cfg
			return b.server, nil
		},
		tokens: func(dataDir string, jwt config.JWT) (tokens, error) {
			b.jwt = jwt
			if _, err := os.Stat(dataDir); err != nil {
				return nil, fmt.Errorf("--data-dir %s: permission denied", dataDir)
			}
			return fakeTokens{}, nil
		},
	}
	return b
}

// run runs a command to its end.
func (b *bundle) run(t *testing.T, args ...string) (code int) {
	t.Helper()
	return b.program.main(t.Context(), args)
}

// background starts a command; stop interrupts it and returns its exit code.
func (b *bundle) background(t *testing.T, args ...string) (stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() { done <- b.program.main(ctx, args) }()
	code, stopped := 0, false
	stop = func() int {
		if !stopped {
			cancel()
			code, stopped = <-done, true
		}
		return code
	}
	t.Cleanup(func() { stop() })
	return stop
}

// requireFailure checks the one line that a failure may print.
func (b *bundle) requireFailure(t *testing.T, line string) {
	t.Helper()
	require.Equal(t, "posthorn: "+line+"\n", b.stderr.String())
}

type fakeTokens struct{}

func (fakeTokens) Organisation(org string) (string, error) { return "token-of-" + org, nil }
func (f fakeTokens) Issue(g api.Grant) (string, error) {
	token := "token-of-" + g.Org
	if g.App != "" {
		token = "token-of-" + g.App + "-in-" + g.Org
	}
	g.Org, g.App = "", ""
	if !reflect.DeepEqual(g, api.Grant{}) {
		token += fmt.Sprintf("%+v", g)
	}
	return token, nil
}

// fakeServer stands for the application that dev runs.
type fakeServer struct {
	url, ui, token string
	start          func(context.Context) error
	closed         int
	closeErr       error
}

func (f *fakeServer) Start(ctx context.Context) error {
	if f.start == nil {
		return nil
	}
	return f.start(ctx)
}
func (f *fakeServer) Close() error            { f.closed++; return f.closeErr }
func (f *fakeServer) URL() string             { return f.url }
func (f *fakeServer) TemporalAddress() string { return "127.0.0.1:7233" }
func (f *fakeServer) TemporalUIURL() string   { return f.ui }
func (f *fakeServer) Token() (string, error)  { return f.token, nil }

// fakeAPI answers as the test says and keeps what it was asked.
type fakeAPI struct {
	*http.ServeMux
	url string

	mu    sync.Mutex
	calls []call
}

type call struct {
	method, uri, token, body string
}

func newFakeAPI(t *testing.T) *fakeAPI {
	t.Helper()
	f := &fakeAPI{ServeMux: http.NewServeMux()}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.calls = append(f.calls, call{r.Method, r.RequestURI, r.Header.Get("Authorization"), strings.TrimSpace(string(body))})
		f.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		f.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	f.url = srv.URL
	return f
}

// on answers a route, such as "GET /api/v1/app/demo", with a status and a JSON body.
func (f *fakeAPI) on(route string, status int, body string) {
	f.HandleFunc(route, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// asked returns the calls so far as "METHOD URI".
func (f *fakeAPI) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, c := range f.calls {
		all = append(all, c.method+" "+c.uri)
	}
	return all
}

// call returns the only call of this method and URI.
func (f *fakeAPI) call(t *testing.T, method, uri string) call {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []call
	for _, c := range f.calls {
		if c.method == method && c.uri == uri {
			found = append(found, c)
		}
	}
	require.Len(t, found, 1, "%s %s", method, uri)
	return found[0]
}

func decode[T any](t *testing.T, text string) (out T) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&out), text)
	return out
}
