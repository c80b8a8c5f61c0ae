package app

import (
	"context"
	"log/slog"

	"github.com/posthorn/posthorn/internal/seal"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/postgres"
)

func openPostgres(ctx context.Context, url string, connections int, box *seal.Box) (store.Store, error) {
	return postgres.Open(ctx, postgres.Options{URL: url, Connections: connections, Box: box})
}

func migratePostgres(ctx context.Context, url string, log *slog.Logger) error {
	return postgres.Migrate(ctx, url, log)
}
