package clustertest

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/nettest"
	"github.com/posthorn/posthorn/internal/pgtest"
)

// Namespace is the Temporal namespace of the replicas.
const Namespace = "webhooks"

// Cluster is a whole installation.
type Cluster struct {
	*API
	Postgres *pgtest.Server
	Temporal *Temporal
	Replicas []*Program
	Balancer *Balancer
	Database string // URL of Posthorn's

	Databases Databases

	t         testing.TB
	settings  []string
	addresses []string // of the replicas
	token     string
}

// Options of a cluster.
type Options struct {
	// Replicas of Posthorn.
	Replicas int
	// Settings are further environment variables of Posthorn.
	Settings []string
	// Disk is the folder of PostgreSQL's files. Empty: one of the test's own.
	Disk string
	// Databases are those of an earlier installation, restored. Nil: new ones.
	Databases *Databases
}

// Databases are the URLs of an installation's.
type Databases struct {
	Server                         *pgtest.Server
	Temporal, Visibility, Posthorn string
}

// NewDatabases are new ones on a server, with Temporal's schema.
func NewDatabases(t testing.TB, server *pgtest.Server) *Databases {
	t.Helper()
	d := &Databases{Server: server, Temporal: server.Database(t), Visibility: server.Database(t), Posthorn: server.Database(t)}
	setUpTemporal(t, d.Temporal, d.Visibility)
	return d
}

// Start runs an installation until the end of the test. It returns when all replicas are ready.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	if o.Databases == nil {
		o.Databases = NewDatabases(t, pgtest.StartIn(t, cmp.Or(o.Disk, t.TempDir()), "max_wal_size=256MB"))
	}
	c := &Cluster{t: t, Databases: *o.Databases, Postgres: o.Databases.Server, Database: o.Databases.Posthorn}
	c.Temporal = startServices(t, o.Databases.Temporal, o.Databases.Visibility)
	keys := filepath.Join(t.TempDir(), "jwt-keys")
	require.NoError(t, os.WriteFile(keys, []byte(rand.Text()+rand.Text()+"\n"), 0o600))
	c.settings = append([]string{
		"POSTHORN_DATABASE_URL=" + c.Database,
		"POSTHORN_JWT_KEY_FILE=" + keys,
		"POSTHORN_ALLOW_SUBNETS=127.0.0.0/8",
		"POSTHORN_LOG_LEVEL=warn",
		"TEMPORAL_ADDRESS=" + c.Temporal.Address(),
		"TEMPORAL_NAMESPACE=" + Namespace,
	}, o.Settings...)
	c.Migrate()
	for i := range o.Replicas {
		address := nettest.FreeAddress(t)
		c.addresses = append(c.addresses, address)
		replica := newProgram(t, fmt.Sprintf("posthorn %d", i+1), binaries.posthorn, c.environment("POSTHORN_LISTEN="+address), "serve")
		replica.Start()
		c.Replicas = append(c.Replicas, replica)
	}
	c.Balancer = NewBalancer(t, c.addresses...)
	c.AwaitReady()
	c.token = strings.TrimSpace(c.Command("token"))
	c.API = NewAPI(t, c.Balancer.URL, c.token)
	return c
}

// Replica is the API of one replica, past the balancer.
func (c *Cluster) Replica(i int) *API { return NewAPI(c.t, "http://"+c.addresses[i], c.token) }

// Migrate sets up the database and the namespace, from two processes at once, as replicas that start at the same time may.
func (c *Cluster) Migrate() {
	c.t.Helper()
	done := make(chan error)
	for range 2 {
		go func() {
			_, err := c.command("migrate")
			done <- err
		}()
	}
	for range 2 {
		assert.NoError(c.t, <-done)
	}
	require.False(c.t, c.t.Failed(), "setting up")
}

// Command runs a command of Posthorn with the settings of the replicas and returns what it prints.
func (c *Cluster) Command(args ...string) string {
	c.t.Helper()
	output, err := c.command(args...)
	require.NoError(c.t, err)
	return output
}

func (c *Cluster) command(args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(c.t.Context(), binaries.posthorn, args...)
	command.Env, command.Stdout, command.Stderr = append(os.Environ(), c.environment()...), &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("posthorn %s: %w: %s", strings.Join(args, " "), err, &stderr)
	}
	return stdout.String(), nil
}

func (c *Cluster) environment(more ...string) []string {
	return append(append([]string(nil), c.settings...), more...)
}

// AwaitReady returns when every replica says that it is ready.
func (c *Cluster) AwaitReady() {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return c.Balancer.Ready() == len(c.Replicas) }, patience, tick, "waiting for all replicas to be ready")
}

// routesAge is how long a replica may go on by what it remembers of an application's endpoints when another one changes them.
const routesAge = 10 * time.Second

// Settle waits until every replica knows of the changes that others have made to endpoints.
func (c *Cluster) Settle() { <-time.After(routesAge + time.Second) }

// CreateApplication makes the application that loads and receivers belong to.
func (c *Cluster) CreateApplication() {
	c.t.Helper()
	c.Do(http.MethodPost, "/app", `{"uid":"acme","name":"Acme"}`, nil)
}

// Revive starts PostgreSQL again if it has ended by itself, as any supervisor would.
func (c *Cluster) Revive() {
	c.t.Helper()
	if errors.Is(syscall.Kill(c.Postgres.PID(), 0), syscall.ESRCH) {
		c.t.Log("PostgreSQL ended by itself and is started again")
		c.Postgres.Start()
	}
}

// Programs are all that can be killed, but for PostgreSQL.
func (c *Cluster) Programs() []*Program {
	return append(append([]*Program(nil), c.Replicas...), c.Temporal.Services()...)
}
