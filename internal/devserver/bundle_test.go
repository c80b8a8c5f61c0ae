package devserver_test

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/internal/devserver"
)

const taskQueue = "test"

// patience is how long tests wait for what happens asynchronously: lists, system workers.
const patience = 30 * time.Second

// tick is how often they look.
const tick = 20 * time.Millisecond

type assertT = assert.CollectT

// searchAttributes are what the tests register unless they say otherwise.
func searchAttributes() map[string]enums.IndexedValueType {
	return map[string]enums.IndexedValueType{
		"Tenant":    enums.INDEXED_VALUE_TYPE_KEYWORD,
		"Endpoints": enums.INDEXED_VALUE_TYPE_KEYWORD_LIST,
	}
}

// tenant, endpoints and eventType are the typed keys of search attributes.
func tenant() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("Tenant")
}

func endpoints() temporal.SearchAttributeKeyKeywordList {
	return temporal.NewSearchAttributeKeyKeywordList("Endpoints")
}

func eventType() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("EventType")
}

// start runs a server on dir with free ports until the test ends.
func start(t *testing.T, dir string, change ...func(*devserver.Options)) *devserver.Server {
	t.Helper()
	options := devserver.Options{Dir: dir, Listen: "127.0.0.1:0", SearchAttributes: searchAttributes()}
	for _, c := range change {
		c(&options)
	}
	server, err := devserver.Start(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	return server
}

// session is a client, and a worker for the workflow DeliverMessage.
type session struct {
	client.Client
	close func()
}

// connect opens a session. It is closed at the end of the test if not before.
func connect(t *testing.T, server *devserver.Server) session {
	t.Helper()
	c, err := client.Dial(client.Options{
		HostPort:                server.Address(),
		Namespace:               server.Namespace(),
		Logger:                  sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		WorkerHeartbeatInterval: -1,
		ConnectionOptions:       client.ConnectionOptions{GrpcCompression: &client.GrpcCompressionNone{}},
	})
	require.NoError(t, err)
	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterWorkflowWithOptions(deliverMessage, workflow.RegisterOptions{Name: "DeliverMessage"})
	require.NoError(t, w.Start())
	s := session{Client: c, close: sync.OnceFunc(func() {
		w.Stop()
		c.Close()
	})}
	t.Cleanup(s.close)
	return s
}

// script tells the test workflow what to do.
type script struct {
	// Endpoints replaces the search attribute.
	Endpoints []string
	// Wait until canceled.
	Wait bool
	// Fail at the end.
	Fail bool
}

func deliverMessage(ctx workflow.Context, s script) (string, error) {
	if len(s.Endpoints) > 0 {
		if err := workflow.UpsertTypedSearchAttributes(ctx, endpoints().ValueSet(s.Endpoints)); err != nil {
			return "", err
		}
	}
	if s.Wait {
		ctx.Done().Receive(ctx, nil)
	}
	if s.Fail {
		return "", temporal.NewNonRetryableApplicationError("no endpoint left", "DeliveryExhausted", nil)
	}
	return "delivered", nil
}

// run starts a workflow, and waits for its end unless it is told to wait.
func (s session) run(t *testing.T, id string, script script, attributes ...temporal.SearchAttributeUpdate) {
	t.Helper()
	run, err := s.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID:                    id,
		TaskQueue:             taskQueue,
		EnableEagerStart:      true,
		TypedSearchAttributes: temporal.NewSearchAttributes(attributes...),
	}, "DeliverMessage", script)
	require.NoError(t, err)
	if script.Wait {
		return
	}
	err = run.Get(t.Context(), nil)
	if script.Fail {
		require.ErrorContains(t, err, "no endpoint left")
	} else {
		require.NoError(t, err)
	}
}

// list returns the ids of the workflows that match, in the order of the server.
func (s session) list(t require.TestingT, query string) []string {
	answer, err := s.ListWorkflow(context.Background(), &workflowservice.ListWorkflowExecutionsRequest{Query: query})
	require.NoError(t, err)
	ids := []string{}
	for _, e := range answer.GetExecutions() {
		ids = append(ids, e.GetExecution().GetWorkflowId())
	}
	return ids
}

// inFile opens a database of a stopped server.
func inFile(t *testing.T, dir, name string, f func(*sql.DB)) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, name))
	require.NoError(t, err)
	f(db)
	require.NoError(t, db.Close())
}

// logRecorder keeps the messages of a log, from a level upwards.
type logRecorder struct {
	mu       sync.Mutex
	level    slog.Level
	messages []string
}

func (r *logRecorder) Enabled(_ context.Context, l slog.Level) bool { return l >= r.level }

func (r *logRecorder) Handle(_ context.Context, record slog.Record) error {
	message := record.Message
	record.Attrs(func(a slog.Attr) bool {
		message += " " + a.String()
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, message)
	return nil
}

func (r *logRecorder) WithAttrs([]slog.Attr) slog.Handler { return r }
func (r *logRecorder) WithGroup(string) slog.Handler      { return r }

func (r *logRecorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.messages...)
}
