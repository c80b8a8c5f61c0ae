package sqlite

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlstore"
	"github.com/posthorn/posthorn/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, Options{}) })
}

// write runs a change as the store does.
func (s *Store) write(ctx context.Context, run func(ctx context.Context, tx *sqlstore.Session) error) error {
	return s.file.Write(ctx, nil, run)
}
