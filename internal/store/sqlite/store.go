package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// Store is a [store.Store] in a SQLite file.
type Store struct {
	*sqlstore.Store
	file *file
}

var _ store.Store = (*Store)(nil)

// Open opens the database file, creates it if there is none, and brings its schema up to date. ctx bounds the opening
// only.
func Open(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("settings of the database: %w", err)
	}
	if err := createFile(o.Path); err != nil {
		return nil, fmt.Errorf("creating the database: %w", err)
	}
	f := &file{}
	if err := f.connect(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", o.Path, err), f.disconnect())
	}
	s, sealed, err := sqlstore.Open(ctx, f, sqlstore.Options{Box: o.Box, Now: o.Now})
	if err == nil && sealed {
		err = f.forgetLog(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", o.Path, err), f.Close())
	}
	return &Store{Store: s, file: f}, nil
}
