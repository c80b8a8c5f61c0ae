// Package routing answers from memory which endpoints a message goes to. It reads an application's endpoints from the
// store once and forgets them when the store says that they changed.
package routing

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/posthorn/posthorn"
)

const (
	// maxApplications bounds the memory of the table. Beyond it some other application is forgotten and read again
	// when it is next needed.
	maxApplications = 10_000
	// maxAge bounds how long a change that another process made can go unnoticed.
	maxAge = 10 * time.Second
)

// Source is the part of the store that the table reads.
type Source interface {
	Routes(ctx context.Context, appID string) ([]posthorn.Endpoint, error)
	OnRouteChange(f func(appID string))
}

// Table is the cache. It is safe for concurrent use.
type Table struct {
	source Source
	now    func() time.Time
	loads  singleflight.Group

	mu      sync.RWMutex
	routes  map[string]entry
	changes uint64 // counts invalidations, so that a load which one overtook is not kept
}

type entry struct {
	endpoints []*posthorn.Endpoint
	loadedAt  time.Time
}

// New returns a table that reads from source and follows its changes.
func New(source Source) *Table {
	t := &Table{source: source, now: time.Now, routes: make(map[string]entry)}
	source.OnRouteChange(t.forget)
	return t
}

// Match returns the enabled endpoints that want the message, by ID. The endpoints are shared: don't change them.
func (t *Table) Match(ctx context.Context, m *posthorn.Message) ([]*posthorn.Endpoint, error) {
	all, err := t.endpoints(ctx, m.AppID)
	if err != nil {
		return nil, err
	}
	matching := make([]*posthorn.Endpoint, 0, len(all))
	for _, ep := range all {
		if ep.Wants(m) {
			matching = append(matching, ep)
		}
	}
	return matching, nil
}

func (t *Table) endpoints(ctx context.Context, appID string) ([]*posthorn.Endpoint, error) {
	t.mu.RLock()
	e, ok := t.routes[appID]
	changes := t.changes
	t.mu.RUnlock()
	if ok && t.now().Sub(e.loadedAt) < maxAge {
		return e.endpoints, nil
	}
	// Requests join a load only if nothing changed since it began: the key holds the count of changes.
	loaded, err, _ := t.loads.Do(fmt.Sprintf("%s/%d", appID, changes), func() (any, error) {
		return t.load(context.WithoutCancel(ctx), appID, changes)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the endpoints of %s: %w", appID, err)
	}
	return loaded.([]*posthorn.Endpoint), nil
}

func (t *Table) load(ctx context.Context, appID string, changes uint64) ([]*posthorn.Endpoint, error) {
	at := t.now()
	list, err := t.source.Routes(ctx, appID)
	if err != nil {
		return nil, err
	}
	endpoints := make([]*posthorn.Endpoint, len(list))
	for i := range list {
		endpoints[i] = &list[i]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changes == changes {
		if len(t.routes) >= maxApplications {
			for other := range t.routes {
				delete(t.routes, other)
				break
			}
		}
		t.routes[appID] = entry{endpoints, at}
	}
	return endpoints, nil
}

func (t *Table) forget(appID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	delete(t.routes, appID)
}
