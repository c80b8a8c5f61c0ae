package devserver

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"go.temporal.io/api/enums/v1"
)

// Durability says what a power failure may take away. A crash of the process loses nothing with either value.
type Durability int

const (
	// Full waits until each commit has reached the disk. It is the default.
	Full Durability = iota
	// Normal leaves the last commits to the operating system for a moment: about half again as fast, and a power
	// failure may take back the last seconds. The file stays consistent.
	Normal
)

const (
	defaultListen    = "127.0.0.1:7233"
	defaultNamespace = "default"
	// defaultRetention is how long a closed workflow stays listed and replayable. Three days cover a weekend of
	// failed deliveries; much longer only grows the files, as what happened is also in Posthorn's own database.
	defaultRetention = 72 * time.Hour
	// minRetention is Temporal's own floor for a namespace that lives in one cluster.
	minRetention = time.Hour
)

// Options configures [Start]. Only Dir is required.
type Options struct {
	// Dir is the folder of the database files. It must exist; the caller chooses its permissions (0700).
	Dir string

	// Listen is host:port of Temporal's gRPC frontend. Default 127.0.0.1:7233; port 0 takes a free one. Temporal does
	// not authenticate, so keep it on loopback unless something in front of it does.
	Listen string

	// UIListen is host:port of the Web UI; port 0 takes a free one. Empty (the default) runs no Web UI.
	UIListen string

	// Namespace is registered at the first start. Default "default".
	Namespace string

	// Retention is how long closed workflows are kept. Default 72h, at least 1h. A change applies to workflows that
	// close after the next start.
	Retention time.Duration

	// Durability of the main file. Default Full. The visibility file is always written without waiting: it can be
	// damaged by a power failure (never by a crash of the process), is then replaced by an empty one, and fills
	// again as workflows start and close.
	Durability Durability

	// SearchAttributes are registered in the namespace. Names that a later start adds are added; names that it leaves
	// out stay. Temporal allows 10 of type Keyword and 3 of every other type.
	SearchAttributes map[string]enums.IndexedValueType

	// Logger receives Temporal's warnings and errors, and everything else it has to say if the logger is enabled
	// for debug. Default: discard.
	Logger *slog.Logger
}

// withDefaults returns a copy with every default filled in, or all that is wrong with o.
func (o Options) withDefaults() (Options, error) {
	o.Listen = cmp.Or(o.Listen, defaultListen)
	o.Namespace = cmp.Or(o.Namespace, defaultNamespace)
	o.Retention = cmp.Or(o.Retention, defaultRetention)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}

	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("Dir: required"))
	} else if abs, err := filepath.Abs(o.Dir); err != nil {
		errs = append(errs, fmt.Errorf("Dir: %w", err))
	} else {
		o.Dir = abs
	}
	if o.Retention < minRetention {
		errs = append(errs, fmt.Errorf("Retention: %s is less than %s", o.Retention, minRetention))
	}
	if o.Durability != Full && o.Durability != Normal {
		errs = append(errs, fmt.Errorf("Durability: unknown value %d", o.Durability))
	}
	return o, errors.Join(errs...)
}
