// Package cli is the command line of Posthorn: it reads flags and environment, runs the command and turns its outcome
// into an exit code. It uses no process globals, so that tests drive it as a shell would.
package cli

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	temporal "go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn/api"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/engine"
)

// description opens the help text.
const description = `Posthorn delivers webhooks durably: post an event once, and every subscribed endpoint gets it, signed, for days if it must.

Start with "posthorn dev" and do what it prints. Every flag can also be set in the environment: --data-dir is POSTHORN_DATA_DIR. The flag wins over the variable.`

// grammar is what kong reads the commands and flags from.
type grammar struct {
	Dev         devCmd         `cmd:"" help:"Run everything in this process: API, worker, Temporal and its Web UI."`
	Serve       serveCmd       `cmd:"" help:"Run API and worker on PostgreSQL and a Temporal cluster."`
	API         apiCmd         `cmd:"" name:"api" help:"Run the API alone on PostgreSQL and a Temporal cluster."`
	Worker      workerCmd      `cmd:"" help:"Run the worker alone on PostgreSQL and a Temporal cluster."`
	Migrate     migrateCmd     `cmd:"" help:"Set up PostgreSQL and the Temporal cluster, or bring them up to date."`
	Backup      backupCmd      `cmd:"" help:"Copy the data folder of a running server into one file."`
	Restore     restoreCmd     `cmd:"" help:"Make a data folder of a backup."`
	Send        sendCmd        `cmd:"" help:"Send an event and see whether it is delivered."`
	Listen      listenCmd      `cmd:"" help:"Receive deliveries here, print them and forward them."`
	Token       tokenCmd       `cmd:"" help:"Print a bearer token for the API."`
	Revoke      revokeCmd      `cmd:"" help:"Revoke one token, or those of an application."`
	Healthcheck healthcheckCmd `cmd:"" help:"Ask a server whether it is well; exit code 1 if it is not."`
	Version     versionCmd     `cmd:"" help:"Print the version of Posthorn and of what it is made of."`
}

// server is what the commands run that stay.
type server interface {
	Start(ctx context.Context) error
	Close() error
	URL() string
	TemporalAddress() string
	TemporalUIURL() string
	Token() (string, error)
}

// tokens makes bearer tokens.
type tokens interface {
	Organisation(org string) (string, error)
	Issue(grant api.Grant) (string, error)
}

// program is what the commands have of the outside world.
type program struct {
	stdin     io.Reader
	stdout    io.Writer // both writers may be used by several goroutines
	stderr    io.Writer
	env       func(string) (string, bool)
	now       func() time.Time
	name      string // how the user calls this program, for hints
	newServer func(config.Config, *slog.Logger) (server, error)
	tokens    func(dataDir string, jwt config.JWT) (tokens, error)
	migrate   func(context.Context, config.Cluster, func(format string, args ...any), *slog.Logger) error
	temporal  func() (temporal.Options, error) // how to reach a Temporal cluster
}

// Main runs the command that args (without the name of the program) ask for until it is done or ctx ends, and returns
// the exit code: 0 if all went well, 1 if the command failed, 2 if it was called wrongly or could not start. A failure
// is told in one line on stderr. env looks up an environment variable, as os.LookupEnv does.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) (string, bool)) int {
	p := &program{
		stdin:    stdin,
		stdout:   shared(stdout),
		stderr:   shared(stderr),
		env:      env,
		now:      time.Now,
		name:     invocation(),
		migrate:  app.Migrate,
		temporal: func() (temporal.Options, error) { return engine.Connection(env, os.Environ) },
		newServer: func(cfg config.Config, log *slog.Logger) (server, error) {
			if cfg.Cluster.Role == config.Alone {
				app.SaveMemory()
			}
			return app.New(cfg, version, log)
		},
		tokens: func(dataDir string, jwt config.JWT) (tokens, error) {
			return app.Tokens(dataDir, jwt)
		},
	}
	return p.main(ctx, args)
}

func (p *program) main(ctx context.Context, args []string) int {
	environment := &environment{lookup: p.env}
	err := p.run(ctx, args, environment)
	return p.report(ctx, err, environment)
}

func (p *program) run(ctx context.Context, args []string, environment *environment) error {
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help":
		args = append(args[1:len(args):len(args)], "--help")
	}
	helped := false
	parser, err := kong.New(&grammar{},
		kong.Name("posthorn"),
		kong.Description(description),
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(func(int) { helped = true }), // parsing goes on after the help text; its result is not wanted
		kong.Resolvers(environment),
		kong.ValueFormatter(describe),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		defaults(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(p),
	)
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if helped {
		return nil
	}
	if err != nil {
		return misparsed(err)
	}
	return inCommand(parsed.Selected(), parsed.Run())
}

// invocation is how to call this program again: a binary that `go run` built is gone by then.
func invocation() string {
	if path, err := os.Executable(); err == nil && strings.Contains(path, "go-build") {
		return "go run ./cmd/posthorn"
	}
	return "posthorn"
}
