// Command temporal is a Temporal cluster's server and schema tool in one program, for tests. Nothing of it is shipped.
//
//	temporal serve SERVICE    runs one of frontend, history, matching and worker, until a signal ends it
//	temporal sql ARG...       is temporal-sql-tool
//
// Both read the environment variables of Temporal's own images, such as POSTGRES_SEEDS and FRONTEND_GRPC_PORT.
package main

import (
	"errors"
	"fmt"
	"os"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql" // registers the plugin
	"go.temporal.io/server/temporal"
	"go.temporal.io/server/tools/sql"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "temporal:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "serve":
		return serve(args[1])
	case len(args) > 1 && args[0] == "sql":
		return sql.RunTool(args)
	}
	return errors.New("want: serve SERVICE, or sql ARG...")
}

func serve(service string) error {
	c, err := config.Load(config.WithEmbedded())
	if err != nil {
		return err
	}
	server, err := temporal.NewServer(
		temporal.ForServices([]string{service}),
		temporal.WithConfig(c),
		temporal.WithLogger(log.NewZapLogger(log.BuildZapLogger(c.Log))),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.InterruptOn(temporal.InterruptCh()),
	)
	if err != nil {
		return err
	}
	return server.Start() // returns when all is stopped
}
