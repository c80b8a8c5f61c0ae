package devserver

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	temporallog "go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// logger gives Temporal's log to slog: warnings and errors, and the rest only where debug is wanted, since Temporal
// describes each step of its start at level info.
type logger struct {
	slog    *slog.Logger
	verbose bool
	stage   *atomic.Int32
}

// The stages of a server's life, as far as its log is concerned.
const (
	starting int32 = iota
	running
	stopping
)

var _ temporallog.Logger = logger{}
var _ temporallog.WithLogger = logger{}

func newLogger(l *slog.Logger) logger {
	return logger{
		slog:    l.With("component", "temporal"),
		verbose: l.Enabled(context.Background(), slog.LevelDebug),
		stage:   new(atomic.Int32),
	}
}

// harmless reports whether a warning or error says nothing is wrong when one process is the whole cluster.
func (l logger) harmless(msg string, tags []tag.Tag) bool {
	switch l.stage.Load() {
	case stopping:
		// The services stop one after the other: calls to one that is gone fail, long polls and what they were reading
		// are cut off. What does go wrong is returned by Stop.
		return true
	case starting:
		// In the same way they find each other only after some tries.
		if msg == "network dial error" || slices.ContainsFunc(tags, isUnready) {
			return true
		}
	}
	// Nexus calls between namespaces need that port; there is one namespace.
	return strings.HasPrefix(msg, "HTTP API port has not been set")
}

// isUnready reports whether a tag is the error of a call that came before the frontend was ready for it.
func isUnready(t tag.Tag) bool {
	return strings.Contains(fmt.Sprint(t.Value()), "Frontend is not healthy yet")
}

func (l logger) Debug(msg string, tags ...tag.Tag) { l.log(slog.LevelDebug, msg, tags) }
func (l logger) Info(msg string, tags ...tag.Tag)  { l.log(slog.LevelInfo, msg, tags) }
func (l logger) Warn(msg string, tags ...tag.Tag)  { l.log(slog.LevelWarn, msg, tags) }
func (l logger) Error(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// DPanic marks what should be impossible but can be survived.
func (l logger) DPanic(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// Panic must not return: its callers rely on that.
func (l logger) Panic(msg string, tags ...tag.Tag) {
	l.slog.LogAttrs(context.Background(), slog.LevelError, msg, attributes(tags)...)
	panic("temporal: " + msg)
}

// Fatal ends the process in Temporal's own logger. A panic does the same, but lets [Start] turn what happens under its
// own call into an error.
func (l logger) Fatal(msg string, tags ...tag.Tag) {
	l.slog.LogAttrs(context.Background(), slog.LevelError, msg, attributes(tags)...)
	panic(fmt.Sprintf("temporal: %s %v", msg, attributes(tags)))
}

// With implements the faster of two ways to add tags.
func (l logger) With(tags ...tag.Tag) temporallog.Logger {
	attrs := attributes(tags)
	args := make([]any, len(attrs))
	for i, a := range attrs {
		args[i] = a
	}
	l.slog = l.slog.With(args...)
	return l
}

func (l logger) log(level slog.Level, msg string, tags []tag.Tag) {
	if l.verbose || level >= slog.LevelWarn && !l.harmless(msg, tags) {
		l.slog.LogAttrs(context.Background(), level, msg, attributes(tags)...)
	}
}

func attributes(tags []tag.Tag) []slog.Attr {
	attrs := make([]slog.Attr, len(tags))
	for i, t := range tags {
		attrs[i] = slog.Any(t.Key(), t.Value())
	}
	return attrs
}
