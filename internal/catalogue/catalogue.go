// Package catalogue is what can be done with the event catalogue: it checks payloads against their schemas, makes
// examples of them, and translates the catalogue to and from the webhooks of an OpenAPI document.
//
// A Table answers from memory, so that a message costs no query, whether its event type is checked or not.
package catalogue

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/posthorn/posthorn"
)

const (
	// maxTypes and maxBytes (of schemas) bound the memory of the table. Beyond them some other event type is forgotten,
	// and read again when it is next needed.
	maxTypes = 5_000
	maxBytes = 64 << 20
	// maxAge bounds how long a change that another process made can go unnoticed.
	maxAge = 10 * time.Second
)

// Source is the part of the store that the table reads.
type Source interface {
	Owner(ctx context.Context, appID string) (org string, err error)
	EventType(ctx context.Context, org, name string) (posthorn.EventType, error)
	OnEventTypeChange(f func(org, name string))
}

// Table is the cache. It is safe for concurrent use.
type Table struct {
	source Source
	now    func() time.Time
	loads  singleflight.Group

	mu      sync.RWMutex
	types   map[key]entry
	bytes   int
	changes uint64            // counts invalidations, so that a load which one overtook is not kept
	owners  map[string]string // organisation by ID of the application, which never changes
}

type key struct{ org, name string }

type entry struct {
	found    *Type // nil if the catalogue doesn't have it
	loadedAt time.Time
}

func (e entry) size() int {
	if e.found == nil {
		return 0
	}
	return e.found.size
}

// New returns a table that reads from source and follows its changes.
func New(source Source) *Table {
	t := &Table{source: source, now: time.Now, types: make(map[key]entry), owners: make(map[string]string)}
	source.OnEventTypeChange(t.forget)
	return t
}

// Type returns an event type, archived or not, and nil if the catalogue doesn't have it. It is shared: don't change it.
func (t *Table) Type(ctx context.Context, org, name string) (*Type, error) {
	k := key{org, name}
	t.mu.RLock()
	e, ok := t.types[k]
	changes := t.changes
	t.mu.RUnlock()
	if ok && t.now().Sub(e.loadedAt) < maxAge {
		return e.found, nil
	}
	// Requests join a load only if nothing changed since it began: the key holds the count of changes.
	loaded, err, _ := t.loads.Do(fmt.Sprintf("%s/%s/%d", org, name, changes), func() (any, error) {
		return t.load(context.WithoutCancel(ctx), k, changes, e.found)
	})
	if err != nil {
		return nil, fmt.Errorf("reading event type %s: %w", name, err)
	}
	return loaded.(*Type), nil
}

// load reads an event type. What was compiled for the one that is too old serves on if the schemas are the same.
func (t *Table) load(ctx context.Context, k key, changes uint64, old *Type) (*Type, error) {
	e := entry{loadedAt: t.now()}
	switch et, err := t.source.EventType(ctx, k.org, k.name); posthorn.CodeOf(err) {
	case "":
		e.found = NewType(et)
		if old != nil && sameSchemas(old.Schemas, et.Schemas) {
			e.found.compiled = old.compiled
		}
	case posthorn.NotFound:
	default:
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changes == changes {
		t.drop(k)
		t.types[k] = e
		t.bytes += e.size()
		for other := range t.types {
			if len(t.types) <= maxTypes && t.bytes <= maxBytes {
				break
			}
			if other != k {
				t.drop(other)
			}
		}
	}
	return e.found, nil
}

func (t *Table) forget(org, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	t.drop(key{org, name})
}

func (t *Table) drop(k key) {
	t.bytes -= t.types[k].size()
	delete(t.types, k)
}

func sameSchemas(a, b map[string]json.RawMessage) bool {
	return maps.EqualFunc(a, b, func(x, y json.RawMessage) bool { return bytes.Equal(x, y) })
}
