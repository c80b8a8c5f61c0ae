package main_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn/internal/binarytest"
	"github.com/posthorn/posthorn/internal/nettest"
	"github.com/posthorn/posthorn/internal/pgtest"
)

// stage is what replicas stand on: a PostgreSQL database, a Temporal server, and the key of the tokens.
type stage struct {
	database  string // URL
	engine    *server
	temporal  string // its address
	namespace string
	settings  []string // further variables
	keyFile   string
	token     string
}

// newStage has the Temporal of a `posthorn dev`, without the namespace of the replicas, and an empty database.
func newStage(t *testing.T) *stage {
	t.Helper()
	engine := newServer(t)
	s := &stage{
		database: pgtest.Start(t).Database(t), engine: engine, temporal: engine.temporal, namespace: "hooks",
		keyFile: filepath.Join(t.TempDir(), "jwt"),
	}
	require.NoError(t, os.WriteFile(s.keyFile, []byte(hex.EncodeToString([]byte("a key that all replicas have, of 32 bytes or more"))), 0o600))
	made := run(t, "token", "--jwt-key-file", s.keyFile)
	require.Zero(t, made.Code, "%s", made.Stderr)
	s.token = strings.TrimSpace(made.Stdout.String())
	return s
}

func (s *stage) start(t *testing.T, args ...string) *process {
	t.Helper()
	p, err := binarytest.Launch(binary, append([]string{
		"POSTHORN_DATABASE_URL=" + s.database, "TEMPORAL_ADDRESS=" + s.temporal, "TEMPORAL_NAMESPACE=" + s.namespace,
	}, s.settings...), args...)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	return p
}

func (s *stage) migrate(t *testing.T) *process {
	t.Helper()
	p := s.start(t, "migrate")
	p.Wait(t)
	return p
}

// replica is a process of one of the roles.
type replica struct {
	*process
	api
	stage *stage
	args  []string
}

func (s *stage) replica(t *testing.T, role string, flags ...string) *replica {
	t.Helper()
	listen := nettest.FreeAddress(t)
	args := []string{role, "--listen", listen, "--drain-delay", "1s", "--allow-subnets", "127.0.0.0/8", "--log-level", "warn"}
	r := &replica{stage: s, args: append(append(args, flags...), "--jwt-key-file", s.keyFile)}
	r.url, r.token = "http://"+listen, s.token
	r.http = &http.Client{Timeout: patience, Transport: documented(t, &http.Transport{MaxIdleConnsPerHost: 100})}
	t.Cleanup(r.http.CloseIdleConnections)
	r.restart(t)
	return r
}

// restart starts it and waits until it is ready.
func (r *replica) restart(t *testing.T) {
	t.Helper()
	r.process = r.stage.start(t, r.args...)
	r.Await(t, r.Stdout, "is ready at")
	require.Eventually(t, func() bool { return r.probe("/readyz") == http.StatusOK }, patience, 20*time.Millisecond, "%s", r.Stderr)
}

// probe returns the status of an answer about the process, 0 for none.
func (r *replica) probe(path string) int {
	answer, err := http.Get(r.url + path)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// sendRefused sends a message to an application of its own whose endpoint refuses it once, and returns its ID when it waits for
// the next attempt.
func (r *replica) sendRefused(t *testing.T) (message string) {
	t.Helper()
	receiver := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	r.createApp(t)
	_, secret := r.createEndpoint(t, receiver.URL)
	message = r.send(t, `{"from":"the API"}`)
	receiver.wait(t, 1)[0].verify(t, secret)
	r.waitDelivery(t, message, "retrying")
	return message
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	s := newStage(t)

	for _, role := range []string{"serve", "api", "worker"} {
		early := s.start(t, role, "--listen", "127.0.0.1:0", "--jwt-key-file", s.keyFile)
		requireRefused(t, early, "posthorn migrate")
	}
	// Several migrate at once, and again.
	var migrating sync.WaitGroup
	outcomes := make([]*process, 3)
	for i := range outcomes {
		outcomes[i] = s.start(t, "migrate")
		migrating.Go(func() { <-outcomes[i].Ended })
	}
	migrating.Wait()
	for _, p := range outcomes {
		require.Zero(t, p.Code, "%s", p.Stderr)
	}
	again := s.migrate(t)
	require.Zero(t, again.Code, "%s", again.Stderr)
	require.Contains(t, again.Stdout.String(), "namespace hooks is there")
	require.Contains(t, again.Stdout.String(), "search attributes are there")

	accepts, sends := s.replica(t, "api"), s.replica(t, "worker", "--retry-schedule", "1h")
	message := accepts.sendRefused(t)

	// Temporal's lists know it in the namespace of the settings.
	engine, err := client.Dial(client.Options{HostPort: s.temporal, Namespace: s.namespace})
	require.NoError(t, err)
	defer engine.Close()
	require.Eventually(t, func() bool { // it is on record a moment before it waits in Temporal
		description, err := engine.DescribeWorkflowExecution(t.Context(), message, "")
		return err == nil && len(description.GetPendingActivities()) > 0
	}, patience, 50*time.Millisecond)

	// What the API has to do with processes is not what a worker does.
	status, _, err := (&api{url: sends.url, token: s.token, http: http.DefaultClient}).call(t.Context(), http.MethodGet, "/app", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, status)
	for _, one := range []*replica{accepts, sends} {
		require.Equal(t, http.StatusOK, one.probe("/healthz"))
		health := start(t, "healthcheck", "--server", one.url)
		require.Zero(t, health.Wait(t), "%s", health.Stderr)
		require.Zero(t, one.Stop(t), "%s", one.Stderr)
		require.NotContains(t, one.Stderr.String(), s.database)
	}
}

// spread hands requests to replicas that say they are ready, by turns, as a load balancer does.
type spread struct {
	*httptest.Server
	replicas []*replica
	ready    []atomic.Bool
	next     atomic.Int64
}

func newSpread(t *testing.T, replicas ...*replica) *spread {
	t.Helper()
	s := &spread{replicas: replicas, ready: make([]atomic.Bool, len(replicas))}
	ctx, stop := context.WithCancel(context.Background())
	var looking sync.WaitGroup
	for i, r := range replicas {
		s.ready[i].Store(true)
		looking.Go(func() {
			for tick := time.NewTicker(50 * time.Millisecond); ; {
				select {
				case <-tick.C:
					s.ready[i].Store(r.probe("/readyz") == http.StatusOK)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	s.Server = httptest.NewServer(&httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		target, _ := url.Parse(s.pick().url)
		r.SetURL(target)
	}})
	t.Cleanup(func() {
		stop()
		looking.Wait()
		s.Close()
		transport.CloseIdleConnections()
	})
	return s
}

func (s *spread) pick() *replica {
	for range s.replicas {
		i := int(s.next.Add(1)) % len(s.replicas)
		if s.ready[i].Load() {
			return s.replicas[i]
		}
	}
	return s.replicas[0]
}

func TestRollingRestart(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	migrated := s.migrate(t)
	require.Zero(t, migrated.Code, "%s", migrated.Stderr)
	const drain = "5s" // the balancer notices in time, on a loaded machine too
	replicas := []*replica{s.replica(t, "serve", "--drain-delay", drain), s.replica(t, "serve", "--drain-delay", drain)}
	front := newSpread(t, replicas...)
	posts := api{url: front.URL, token: s.token, http: &http.Client{Timeout: patience}}

	var mu sync.Mutex
	arrived := make(map[string]int)
	receiver := newReceiver(t, func(_ http.ResponseWriter, r *http.Request, n int) {
		if n%10 == 0 {
			pause(r, time.Second) // some are on their way when a replica stops
		}
		mu.Lock()
		defer mu.Unlock()
		arrived[r.Header.Get("webhook-id")]++
	})
	posts.createApp(t)
	posts.createEndpoint(t, receiver.URL)

	ctx, enough := context.WithCancel(t.Context())
	defer enough()
	accepted := make(map[string]bool)
	var refused []string
	var posting sync.WaitGroup
	for range 4 {
		posting.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				status, answer, err := posts.call(t.Context(), http.MethodPost, "/app/acme/msg", fmt.Sprintf(`{"eventType":"a","payload":{"n":%d}}`, n))
				mu.Lock()
				if id := idOf(answer); status == http.StatusAccepted {
					accepted[id] = true
				} else {
					refused = append(refused, fmt.Sprint(status, " ", string(answer), " ", err))
				}
				mu.Unlock()
			}
		})
	}
	for _, r := range replicas {
		require.NoError(t, r.Cmd.Process.Signal(syscall.SIGTERM))
		require.Eventually(t, func() bool { return r.probe("/readyz") == http.StatusServiceUnavailable }, patience, 5*time.Millisecond)
		require.Zero(t, r.Wait(t), "%s", r.Stderr)
		r.restart(t)
	}
	enough()
	posting.Wait()
	require.Empty(t, refused)
	require.NotEmpty(t, accepted)
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		for id := range accepted {
			if arrived[id] == 0 {
				return false
			}
		}
		return true
	}, patience, 100*time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	for id, times := range arrived {
		require.Equal(t, 1, times, "a replica that stops finishes what it has begun, and records it: %s", id)
	}
	t.Logf("%d events accepted", len(accepted))
}

func idOf(answer []byte) string {
	var message struct{ ID string }
	_ = json.Unmarshal(answer, &message) // an error has no id
	return message.ID
}
