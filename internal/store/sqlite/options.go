package sqlite

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/posthorn/posthorn/internal/seal"
)

// Durability says what a commit survives besides the end of the process, which it always does.
type Durability string

// The durabilities.
const (
	Full   Durability = "full"   // the loss of power too, at the price of one flush to disk per commit
	Normal Durability = "normal" // the loss of power may undo the last commits; the file stays consistent
)

// Options are the settings of a store.
type Options struct {
	// Path of the database file, in a folder that exists. A new file can be read and written by its owner only, because
	// it holds signing secrets; the mode of an existing file is left alone. Required.
	Path string
	// Durability of commits. Default: Full.
	Durability Durability
	// Box seals signing secrets and the values of custom headers. The first one that a database is opened with stays the
	// only one. Default: none, they are kept in the clear.
	Box *seal.Box
	// Logger hears about migrations. Default: silence.
	Logger *slog.Logger
	// Now is the clock for Delivery.UpdatedAt and for what has expired. Default: time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	o.Durability = cmp.Or(o.Durability, Full)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func (o Options) validate() error {
	var problems []error
	if o.Path == "" {
		problems = append(problems, errors.New("Path is missing"))
	}
	if o.Durability != Full && o.Durability != Normal {
		problems = append(problems, fmt.Errorf("Durability is %q, not %s or %s", o.Durability, Full, Normal))
	}
	return errors.Join(problems...)
}
