package devserver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"unsafe"
)

// maxPrepared bounds the statements that a connection keeps. Temporal has about a hundred; those that list a varying
// number of values would be more.
const maxPrepared = 200

// keepPrepared makes a pool keep the statements that it executes.
//
// Temporal's plugin hands SQLite its texts each time anew. Parsing the one that writes a row for the list of workflows,
// with its generated columns, indexes and triggers, took longer than executing it: 15 % of the time of an event.
func keepPrepared(pool *sql.DB) (*sql.DB, error) {
	// The plugin builds the connector and shows it to nobody, so read the field. The tests fail if it is renamed.
	field := reflect.ValueOf(pool).Elem().FieldByName("connector")
	if !field.IsValid() || field.Type() != reflect.TypeFor[driver.Connector]() {
		return nil, errors.New("the database pool has no field connector")
	}
	connector := *(*driver.Connector)(unsafe.Pointer(field.UnsafeAddr())) //nolint:gosec // see above
	keeping := sql.OpenDB(preparingConnector{connector})
	size := pool.Stats().MaxOpenConnections
	keeping.SetMaxOpenConns(size)
	keeping.SetMaxIdleConns(size)
	return keeping, pool.Close()
}

type preparingConnector struct{ driver.Connector }

// Connect implements [driver.Connector].
func (c preparingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	complete, ok := conn.(completeConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("unexpected database connection %T", conn), conn.Close())
	}
	return &preparingConn{completeConn: complete, prepared: make(map[string]driver.StmtExecContext)}, nil
}

// completeConn is what database/sql looks for in a connection. A wrapper that lacked some of it would change how the
// connection is used.
type completeConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// preparingConn is a connection whose executed statements stay prepared; SQLite prepares one again by itself when the
// schema has changed. Queries are passed through: their rows can be open while the same text is run again.
type preparingConn struct {
	completeConn
	prepared map[string]driver.StmtExecContext
}

// ExecContext implements [driver.ExecerContext].
func (c *preparingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	statement, ok := c.prepared[query]
	if !ok {
		if len(c.prepared) >= maxPrepared {
			return c.completeConn.ExecContext(ctx, query, args)
		}
		fresh, err := c.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		if statement, ok = fresh.(driver.StmtExecContext); !ok {
			return nil, errors.Join(fmt.Errorf("unexpected statement %T", fresh), fresh.Close())
		}
		c.prepared[query] = statement
	}
	return statement.ExecContext(ctx, args)
}

// Close implements [driver.Conn].
func (c *preparingConn) Close() error {
	var errs []error
	for _, statement := range c.prepared {
		if closer, ok := statement.(driver.Stmt); ok {
			errs = append(errs, closer.Close())
		}
	}
	clear(c.prepared)
	return errors.Join(append(errs, c.completeConn.Close())...)
}
