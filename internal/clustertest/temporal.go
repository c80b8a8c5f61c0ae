package clustertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/posthorn/posthorn/internal/nettest"
)

// patience is how long the cluster may take for something that should take a moment.
const patience = 2 * time.Minute

// tick is how often it is looked whether it has happened.
const tick = 100 * time.Millisecond

// Where Temporal's own workflows are, and the task queue that its worker service always polls.
const (
	systemNamespace = "temporal-system"
	systemQueue     = "default-worker-tq"
)

// historyShards of the Temporal cluster. Every start of a history service takes them one by one.
const historyShards = 4

// Temporal is a Temporal cluster with one process for each of its services, on databases in PostgreSQL. The services find
// each other by Temporal's own gossip and are configured like Temporal's own images.
type Temporal struct {
	Frontend, History, Matching, Worker *Program

	t       testing.TB
	address string
}

// StartTemporal sets up the schema in two empty databases and starts the services. It returns when they answer.
func StartTemporal(t testing.TB, main, visibility string) *Temporal {
	t.Helper()
	setUpTemporal(t, main, visibility)
	return startServices(t, main, visibility)
}

func setUpTemporal(t testing.TB, main, visibility string) {
	t.Helper()
	for schema, database := range map[string]string{"temporal": main, "visibility": visibility} {
		sqlTool(t, database, "setup-schema", "--version", "0.0")
		sqlTool(t, database, "update-schema", "--schema-name", "postgresql/v12/"+schema)
	}
}

func startServices(t testing.TB, main, visibility string) *Temporal {
	t.Helper()
	env := serverEnvironment(t, main, visibility)
	c := &Temporal{t: t}
	ports := make(map[string]string)
	for _, service := range []string{"frontend", "history", "matching", "worker"} {
		for _, use := range []string{"GRPC", "MEMBERSHIP"} {
			address := nettest.FreeAddress(t)
			ports[service+use] = address
			_, port, err := net.SplitHostPort(address)
			require.NoError(t, err)
			env = append(env, fmt.Sprintf("%s_%s_PORT=%s", strings.ToUpper(service), use, port))
		}
	}
	c.address = ports["frontendGRPC"]
	service := func(name string) *Program {
		return newProgram(t, "temporal "+name, binaries.temporal, env, "serve", name)
	}
	c.Frontend, c.History, c.Matching, c.Worker = service("frontend"), service("history"), service("matching"), service("worker")
	// The first to come writes who the cluster is, and two at once would get in each other's way.
	c.History.Start()
	await(t, "Temporal's history service", func(ctx context.Context) error { return dial(ctx, ports["historyGRPC"]) })
	for _, p := range c.Services()[1:] {
		p.Start()
	}
	c.AwaitReady()
	return c
}

// Services are the four, in the order in which they are started.
func (c *Temporal) Services() []*Program {
	return []*Program{c.History, c.Matching, c.Frontend, c.Worker}
}

// Address is host:port of the frontend.
func (c *Temporal) Address() string { return c.address }

// AwaitReady returns when workflows can be looked up: frontend and history answer.
func (c *Temporal) AwaitReady() {
	c.t.Helper()
	c.awaitSystem("Temporal", func(ctx context.Context, engine client.Client) error {
		_, err := engine.DescribeWorkflowExecution(ctx, "nobody", "")
		if _, unknown := errors.AsType[*serviceerror.NotFound](err); unknown {
			return nil
		}
		return err
	})
}

// AwaitWorker returns when the present run of the worker service looks for work.
func (c *Temporal) AwaitWorker() {
	c.t.Helper()
	c.awaitSystem("Temporal's worker service", func(ctx context.Context, engine client.Client) error {
		began := c.Worker.current().Began
		queue, err := engine.DescribeTaskQueue(ctx, systemQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
		if err != nil {
			return err
		}
		for _, poller := range queue.Pollers {
			if poller.LastAccessTime.AsTime().After(began) {
				return nil
			}
		}
		return fmt.Errorf("nobody looks for work since %s", began)
	})
}

// awaitSystem asks in Temporal's own namespace until the answer is as wanted.
func (c *Temporal) awaitSystem(what string, look func(context.Context, client.Client) error) {
	c.t.Helper()
	engine, err := client.NewLazyClient(clientOptions(c.address, systemNamespace))
	require.NoError(c.t, err)
	defer engine.Close()
	await(c.t, what, func(ctx context.Context) error { return look(ctx, engine) })
}

// Client connects to a namespace once that is known; the end of the test closes it.
func (c *Temporal) Client(namespace string) client.Client {
	c.t.Helper()
	engine, err := client.NewLazyClient(clientOptions(c.address, namespace))
	require.NoError(c.t, err)
	c.t.Cleanup(engine.Close)
	await(c.t, "namespace "+namespace, func(ctx context.Context) error {
		_, err := engine.WorkflowService().ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace, PageSize: 1})
		return err
	})
	return engine
}

func clientOptions(address, namespace string) client.Options {
	return client.Options{
		HostPort: address, Namespace: namespace, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	}
}

// sqlTool runs temporal-sql-tool on a database.
func sqlTool(t testing.TB, database string, args ...string) {
	t.Helper()
	at, err := url.Parse(database)
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), binaries.temporal, append([]string{
		"sql", "--plugin", "postgres12_pgx", "--endpoint", at.Hostname(), "--port", at.Port(), "--user", at.User.Username(),
		"--database", strings.TrimPrefix(at.Path, "/"),
	}, args...)...)
	command.Env = append(os.Environ(), "SQL_PASSWORD="+password(at))
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// serverEnvironment is what Temporal's own images read, without the ports.
func serverEnvironment(t testing.TB, main, visibility string) []string {
	t.Helper()
	at, err := url.Parse(main)
	require.NoError(t, err)
	other, err := url.Parse(visibility)
	require.NoError(t, err)
	dynamic := filepath.Join(t.TempDir(), "dynamicconfig.yaml")
	require.NoError(t, os.WriteFile(dynamic, nil, 0o600)) // the defaults
	return []string{
		"DB=postgres12_pgx", "POSTGRES_SEEDS=" + at.Hostname(), "DB_PORT=" + at.Port(), "POSTGRES_USER=" + at.User.Username(),
		"POSTGRES_PWD=" + password(at), "DBNAME=" + strings.TrimPrefix(at.Path, "/"),
		"VISIBILITY_DBNAME=" + strings.TrimPrefix(other.Path, "/"),
		fmt.Sprintf("NUM_HISTORY_SHARDS=%d", historyShards),
		"BIND_ON_IP=127.0.0.1", "TEMPORAL_BROADCAST_ADDRESS=127.0.0.1", "FRONTEND_HTTP_PORT=0",
		"LOG_LEVEL=error", "DYNAMIC_CONFIG_FILE_PATH=" + dynamic, "TEMPORAL_VERSION_CHECK_DISABLED=1",
	}
}

// password of a database's user. Without one, anything will do: Temporal's tools want some.
func password(database *url.URL) string {
	if word, ok := database.User.Password(); ok {
		return word
	}
	return "none"
}

func dial(ctx context.Context, address string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// await tries until it works.
func await(t testing.TB, what string, try func(context.Context) error) {
	t.Helper()
	var last error
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		last = try(ctx)
		return last == nil
	}, patience, tick, "waiting for %s: %s", what, lazily(func() string { return fmt.Sprint(last) }))
}

// lazily is text for a failure message that is made only when it is printed.
type lazily func() string

func (f lazily) String() string { return f() }
