package config

import (
	"net/url"
	"time"

	"go.temporal.io/sdk/client"
)

// Role is which parts of Posthorn a process runs.
type Role string

// The roles. All but the first work on a PostgreSQL database and a Temporal cluster, together with any number of others.
const (
	Alone  Role = ""       // everything, Temporal included, on files in the data folder
	Serve  Role = "serve"  // API and worker
	API    Role = "api"    // the API alone: it accepts and does not send
	Worker Role = "worker" // the worker alone: it sends
)

// ServesAPI reports whether the role answers requests.
func (r Role) ServesAPI() bool { return r != Worker }

// Works reports whether the role sends.
func (r Role) Works() bool { return r != API }

// MaxDrainDelay is the longest DrainDelay.
const MaxDrainDelay = 5 * time.Minute

// MaxConnections is the most connections that one process may have to its database.
const MaxConnections = 1000

// Cluster is what a process needs that is one of several. It means nothing to one that is Alone.
type Cluster struct {
	// Role is which parts this process runs. Default: Alone.
	Role Role
	// Database is where everything is stored.
	Database Database
	// Temporal is how to reach the cluster.
	Temporal client.Options
	// Deployment names this build among those of other versions.
	Deployment Deployment
	// DrainDelay is how long the process goes on after it was told to stop, and says that it is not ready, so that whoever
	// sends requests to it notices. Default: 5 seconds.
	DrainDelay time.Duration
}

// Database says where a PostgreSQL database is.
type Database struct {
	// URL is postgres://user:password@host:port/name?sslmode=verify-full and the like.
	URL string
	// URLFile names the file that holds the URL, without the white space around it.
	URLFile string
	// Connections is how many the process has at most. Default: 20.
	Connections int
}

// Deployment makes the worker one of a Temporal Worker Deployment, where each workflow is carried on by a build that knows
// it. The zero value does without.
type Deployment struct {
	Name string
	// BuildID is unlike that of any other build. Default: the version of the program.
	BuildID string
	// Pinned has a workflow stay with the build that began it. Otherwise it goes on with the current one.
	Pinned bool
}

func defaultCluster() Cluster {
	return Cluster{Database: Database{Connections: 20}, DrainDelay: 5 * time.Second}
}

func (c Cluster) validate(add func(format string, args ...any)) {
	c.Database.Validate(add)
	if c.DrainDelay < 0 || c.DrainDelay > MaxDrainDelay {
		add("--drain-delay must be between 0s and %s, not %s", MaxDrainDelay, c.DrainDelay)
	}
	if c.Deployment.Name == "" && (c.Deployment.BuildID != "" || c.Deployment.Pinned) {
		add("--build-id and --pinned are for --deployment-name")
	}
}

// Validate tells what is wrong. It never quotes the URL, which may hold a password.
func (d Database) Validate(add func(format string, args ...any)) {
	switch {
	case d.URL == "" && d.URLFile == "":
		add("--database-url must say where PostgreSQL is, such as postgres://posthorn@db.example.com/posthorn")
	case d.URL != "" && d.URLFile != "":
		add("--database-url and --database-url-file exclude each other")
	case d.URL != "" && !IsDatabaseURL(d.URL):
		add("--database-url must be a URL such as postgres://posthorn@db.example.com/posthorn")
	}
	if d.Connections < 2 || d.Connections > MaxConnections {
		add("--database-connections must be between 2 and %d, not %d", MaxConnections, d.Connections)
	}
}

// IsDatabaseURL reports whether a text looks like the address of a PostgreSQL database.
func IsDatabaseURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql")
}
