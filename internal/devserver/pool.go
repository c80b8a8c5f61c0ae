package devserver

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/jmoiron/sqlx"
	"go.temporal.io/server/common/config"
	temporallog "go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	temporalsql "go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/resolver"
)

// pools are the database connections that Temporal's SQLite plugin shares among the services.
//
// The plugin never closes them: it counts references and leaves the connection open for the life of the process. A file
// that stays open cannot be checkpointed completely, moved (on Windows), or opened by the next server on other terms.
type pools []*sqlx.DB

// openPools opens the files of the given configurations the way the server will, which then shares them.
func openPools(tune func(*sql.DB) (*sql.DB, error), configs ...*config.SQL) (pools, error) {
	var p pools
	for _, c := range configs {
		db, err := openPool(c, tune)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("opening %s: %w", c.DatabaseName, err), p.close())
		}
		p = append(p, db)
	}
	return p, nil
}

func openPool(c *config.SQL, tune func(*sql.DB) (*sql.DB, error)) (*sqlx.DB, error) {
	handle, err := temporalsql.NewSQLDB(sqlplugin.DbKindUnknown, c,
		resolver.NewNoopResolver(), temporallog.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return nil, err
	}
	// The plugin has no way to get at the pool behind a handle, so read the field. The tests fail if it is renamed.
	value := reflect.ValueOf(handle)
	if value.Kind() != reflect.Pointer || value.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("unexpected database handle %T", handle)
	}
	field := value.Elem().FieldByName("db")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*sqlx.DB]() {
		return nil, fmt.Errorf("database handle %T has no pool in field db", handle)
	}
	db := *(**sqlx.DB)(unsafe.Pointer(field.UnsafeAddr())) //nolint:gosec // see above
	db.DB, err = tune(db.DB)
	return db, err
}

func (p pools) close() error {
	var errs []error
	for _, db := range p {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}
