package sqlstore

import "context"

// Database is what a [Store] needs of a database.
type Database interface {
	// Write runs a change in a transaction and returns when that is committed, or undone. The transaction may be that of
	// other calls too, and run may be called again in another one. run must not call Write. Named locks that the change
	// will need are held from the beginning; it may ask for more. If ctx ends before run has begun, run is not called;
	// after that it is not interrupted.
	Write(ctx context.Context, locks []string, run func(ctx context.Context, tx *Session) error) error
	// Pool runs statements that read, each on a connection that is free.
	Pool() *Session
	// Snapshot returns a session that sees one state of the database, until end is called.
	Snapshot(ctx context.Context) (on *Session, end func(), err error)
	// Refusal explains an error of the database in a way that tells who meets it what to do. nil: there is nothing to
	// explain.
	Refusal(err error) error
	// Dialect is what is particular about the database.
	Dialect() Dialect
	// Close gives everything back. No other method is called meanwhile or later.
	Close() error
}

// Dialect is what is particular about a database.
type Dialect struct {
	// Shared says that other processes write too: what this one remembers is not the truth.
	Shared bool
	// Settled is a condition on a message m, to which no message can be added any more that comes before it in the stream.
	// Empty: that is so always.
	Settled string
}

// Runner runs SQL.
type Runner interface {
	// Exec runs a statement that returns no rows and says how many it changed.
	Exec(ctx context.Context, text string, args ...any) (int64, error)
	Query(ctx context.Context, text string, args ...any) (Rows, error)
}

// Rows are the rows of an answer. To close them again has no effect.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}

// Transaction runs the SQL of one write.
type Transaction interface {
	Runner
	// Insert runs an INSERT of one row, and reports whether there was no such row before. If there was, nothing is changed.
	Insert(ctx context.Context, text string, args ...any) (bool, error)
	// Post runs a statement, now or before the next one that has a result; an error may come back then, or undo the whole.
	Post(ctx context.Context, text string, args ...any) error
	// Locked reports whether the write holds locks.
	Locked(locks ...string) bool
	// Lock makes sure that the write holds locks. If it does not, it has to return the error and is run again with them.
	Lock(locks ...string) error
	// LockNow is Lock, but takes what is free.
	LockNow(ctx context.Context, locks ...string) error
	// Number is the number of a row that will be inserted; nil where the database gives it.
	Number() any
	// Last is the number of the row that was inserted last.
	Last() int64
	// Routed says that a message of an application is stored, which goes by the application's endpoints, or that these, or
	// their limits, were changed. Where other processes change them too, what is remembered of them is then known to be
	// true, or forgotten, when the transaction has ended.
	Routed(ctx context.Context, appID string, changed bool) error
	// PayloadKey is what the payloads of a message hang on that was inserted last: its number, or its ID.
	PayloadKey(messageID string) any
}
