package cli

import (
	"time"

	"github.com/posthorn/posthorn/internal/config"
)

// databaseFlags say where PostgreSQL is.
type databaseFlags struct {
	DatabaseURL         string `name:"database-url" placeholder:"URL" help:"PostgreSQL, as postgres://user:password@host:port/name. Other users of the machine see command lines, so set the variable, or --database-url-file."`
	DatabaseURLFile     string `name:"database-url-file" placeholder:"FILE" help:"File that holds the URL of the database."`
	DatabaseConnections int    `placeholder:"N" default:"${database_connections}" help:"Connections to the database that one process has at most."`
}

func (f *databaseFlags) database() config.Database {
	return config.Database{URL: f.DatabaseURL, URLFile: f.DatabaseURLFile, Connections: f.DatabaseConnections}
}

// clusterSettings are the flags of the commands that run one of several replicas.
type clusterSettings struct {
	commonSettings
	databaseFlags
	DrainDelay     duration `placeholder:"TIME" default:"${drain_delay}" help:"How long to go on after SIGTERM, not ready, so that load balancers notice; up to 5m. At least the time between two of their checks."`
	DeploymentName string   `placeholder:"NAME" help:"Worker Deployment of Temporal that this build belongs to; without one, workflows go on with any build."`
	BuildID        string   `name:"build-id" placeholder:"ID" help:"What Temporal knows this build by in the deployment. Default: the version of Posthorn."`
	Pinned         bool     `help:"Have workflows end with the build that began them, instead of going on with the deployment's current one."`
}

func (c *clusterSettings) config() config.Config {
	cfg := c.commonSettings.config()
	cfg.Cluster = config.Cluster{
		Database:   c.database(),
		DrainDelay: time.Duration(c.DrainDelay),
		Deployment: config.Deployment{Name: c.DeploymentName, BuildID: c.BuildID, Pinned: c.Pinned},
	}
	return cfg
}
