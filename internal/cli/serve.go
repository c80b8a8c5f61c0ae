package cli

import (
	"context"
	"fmt"

	"github.com/posthorn/posthorn/internal/config"
)

// serveCmd runs API and worker on a cluster.
type serveCmd struct{ clusterSettings }

// apiCmd runs the API on a cluster.
type apiCmd struct{ clusterSettings }

// workerCmd runs the worker on a cluster.
type workerCmd struct{ clusterSettings }

// clusterHelp is what the roles have in common.
const clusterHelp = `

Everything is in PostgreSQL (--database-url) and in Temporal, so any number of replicas can run side by side. "posthorn migrate" sets both up. Where Temporal is, is said by the variables that its own tools have: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_…, or TEMPORAL_CONFIG_FILE and TEMPORAL_PROFILE.

GET /healthz says that the process lives, GET /readyz whether requests can be sent to it. SIGTERM ends it: it is not ready any more, goes on for --drain-delay, finishes what is in flight and exits with 0. A second signal ends it at once.`

// Help implements kong.HelpProvider.
func (*serveCmd) Help() string {
	return `Runs the API, which accepts events, and the worker, which delivers them.` + clusterHelp + `

Examples:

    export POSTHORN_DATABASE_URL=postgres://posthorn@db.example.com/posthorn TEMPORAL_ADDRESS=temporal.example.com:7233
    posthorn migrate
    posthorn serve --listen :8071 --jwt-key-file /run/secrets/jwt`
}

// Help implements kong.HelpProvider.
func (*apiCmd) Help() string {
	return `Runs the API alone: it accepts events, and workers ("posthorn worker") deliver them.` + clusterHelp
}

// Help implements kong.HelpProvider.
func (*workerCmd) Help() string {
	return `Runs the worker alone: it delivers what others ("posthorn api") accept. At --listen it answers nothing but whether it is well.` + clusterHelp
}

// Run serves until ctx ends.
func (c *serveCmd) Run(ctx context.Context, p *program) error { return c.run(ctx, p, config.Serve) }

// Run serves until ctx ends.
func (c *apiCmd) Run(ctx context.Context, p *program) error { return c.run(ctx, p, config.API) }

// Run works until ctx ends.
func (c *workerCmd) Run(ctx context.Context, p *program) error { return c.run(ctx, p, config.Worker) }

func (c *clusterSettings) run(ctx context.Context, p *program, role config.Role) error {
	cfg := c.config()
	cfg.Cluster.Role = role
	if err := cfg.Validate(); err != nil {
		return usage(err)
	}
	var err error
	if cfg.Cluster.Temporal, err = p.temporal(); err != nil {
		return cannotStart(err)
	}
	srv, err := p.newServer(cfg, newLogger(cfg, p.stderr))
	if err != nil {
		return cannotStart(err)
	}
	if err := srv.Start(ctx); err != nil {
		return unlessEnded(ctx, cannotStart(err))
	}
	fmt.Fprintf(p.stdout, "posthorn %s is ready at %s\n", role, srv.URL())
	<-ctx.Done()
	fmt.Fprintf(p.stderr, "posthorn: stopping, after %s in which others can notice (a second signal ends at once)\n", cfg.Cluster.DrainDelay)
	if err := srv.Close(); err != nil {
		return fmt.Errorf("stopping: %w", err)
	}
	return nil
}
