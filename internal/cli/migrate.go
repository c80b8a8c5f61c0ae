package cli

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/posthorn/posthorn/internal/config"
)

// migrateCmd sets up database and Temporal.
type migrateCmd struct {
	databaseFlags
	LogFormat string `enum:"text,json" placeholder:"FORM" default:"${log_format}" help:"Form of the log lines on stderr: text or json."`
	LogLevel  level  `placeholder:"LEVEL" default:"warn" help:"Least severe level to log: debug, info, warn or error."`
}

// Help implements kong.HelpProvider.
func (*migrateCmd) Help() string {
	return `Brings the schema of the database up to date, and makes the namespace and the search attributes in Temporal that are missing. It changes nothing that is as it should be, may run from several places at once, and refuses a database that a newer version of Posthorn has migrated.

Run it before the first "posthorn serve" and with every new version, before its replicas start; those of the version before go on meanwhile. On Temporal Cloud, make namespace and search attributes there; this command then says what is missing.`
}

// Run sets up and says what it has done.
func (c *migrateCmd) Run(ctx context.Context, p *program) error {
	cfg := config.Config{LogFormat: config.LogFormat(c.LogFormat), LogLevel: slog.Level(c.LogLevel)}
	cfg.Cluster.Database = c.database()
	var problems []error
	cfg.Cluster.Database.Validate(func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) })
	if len(problems) > 0 {
		return usage(problems[0])
	}
	var err error
	if cfg.Cluster.Temporal, err = p.temporal(); err != nil {
		return cannotStart(err)
	}
	say := func(format string, args ...any) { fmt.Fprintf(p.stdout, format+"\n", args...) }
	return p.migrate(ctx, cfg.Cluster, say, newLogger(cfg, p.stderr))
}
