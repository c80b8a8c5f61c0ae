package store

import (
	"time"

	"github.com/posthorn/posthorn"
)

// Bounds turns the window into a half-open range of identifiers: from is the first that lies in it, to the first behind
// it. An open bound is empty. Identifiers hold the time to the millisecond, so the bounds do too.
func (w Window) Bounds(kind posthorn.IDKind) (from, to string) {
	if !w.After.IsZero() {
		from = kind.Floor(w.After.Truncate(time.Millisecond).Add(time.Millisecond))
	}
	if !w.Before.IsZero() {
		to = Before(kind, w.Before)
	}
	return from, to
}

// Before returns the identifier that all those made before a moment, and no others, sort before.
func Before(kind posthorn.IDKind, t time.Time) string {
	floor := t.Truncate(time.Millisecond)
	if floor.Before(t) {
		floor = floor.Add(time.Millisecond)
	}
	return kind.Floor(floor)
}
