// Package routing answers from memory which endpoints a message goes to. It reads an application's endpoints from the
// store once, and one anew when the store says that it changed.
package routing

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/posthorn/posthorn"
)

const (
	// maxApplications bounds the memory of the table. Beyond it some other application is forgotten and read again
	// when it is next needed.
	maxApplications = 10_000
	// maxAge bounds how long a change that another process made can go unnoticed where no message tells of it.
	maxAge = 10 * time.Second
	// maxStale is how many changed endpoints of an application are read one by one. Of more, all are read.
	maxStale = 100
	// maxLog is how many changes may happen, to any application, while one is read, without its having to be read again.
	maxLog = 1000
)

// Source is the part of the store that the table reads.
type Source interface {
	Routes(ctx context.Context, appID string) ([]posthorn.Endpoint, error)
	ThrottleRate(ctx context.Context, appID string) (int, error)
	Endpoint(ctx context.Context, appID, ref string) (posthorn.Endpoint, error)
	OnRouteChange(f func(appID, endpointID string))
}

// Table is the cache. It is safe for concurrent use.
type Table struct {
	source Source
	now    func() time.Time
	loads  singleflight.Group

	mu      sync.RWMutex
	routes  map[string]entry
	changes uint64   // counts them
	log     []change // the last of them
}

// change is one of an endpoint or, without an ID, of all of an application.
type change struct{ appID, endpointID string }

type entry struct {
	endpoints []*posthorn.Endpoint // by ID
	throttle  int                  // the application's limit, in messages per second; 0 = none
	stale     []string             // IDs of those that have changed since, or are new
	loadedAt  time.Time
}

// New returns a table that reads from source and follows its changes.
func New(source Source) *Table {
	t := &Table{source: source, now: time.Now, routes: make(map[string]entry)}
	source.OnRouteChange(t.forget)
	return t
}

// Match returns the endpoints that want the message, by ID, also those that take none for the time being. The endpoints are shared: don't change them.
func (t *Table) Match(ctx context.Context, m *posthorn.Message) ([]*posthorn.Endpoint, error) {
	e, err := t.entry(ctx, m.AppID)
	if err != nil {
		return nil, err
	}
	matching := make([]*posthorn.Endpoint, 0, len(e.endpoints))
	for _, ep := range e.endpoints {
		if ep.Wants(m) {
			matching = append(matching, ep)
		}
	}
	return matching, nil
}

// ThrottleRate returns an application's limit, in messages per second; 0 = none.
func (t *Table) ThrottleRate(ctx context.Context, appID string) (int, error) {
	e, err := t.entry(ctx, appID)
	return e.throttle, err
}

// Ordered returns the IDs of the application's endpoints that want their messages in order.
func (t *Table) Ordered(ctx context.Context, appID string) ([]string, error) {
	e, err := t.entry(ctx, appID)
	if err != nil {
		return nil, err
	}
	var ordered []string
	for _, ep := range e.endpoints {
		if ep.Ordered {
			ordered = append(ordered, ep.ID)
		}
	}
	return ordered, nil
}

func (t *Table) entry(ctx context.Context, appID string) (entry, error) {
	t.mu.RLock()
	e, ok := t.routes[appID]
	changes := t.changes
	t.mu.RUnlock()
	ok = ok && t.now().Sub(e.loadedAt) < maxAge
	if ok && len(e.stale) == 0 {
		return e, nil
	}
	// Requests join a load only if nothing changed since it began: the key holds the count of changes.
	loaded, err, _ := t.loads.Do(fmt.Sprintf("%s/%d", appID, changes), func() (any, error) {
		ctx := context.WithoutCancel(ctx)
		if ok {
			return t.refresh(ctx, appID, e, changes)
		}
		return t.load(ctx, appID, changes)
	})
	if err != nil {
		return entry{}, fmt.Errorf("reading the endpoints of %s: %w", appID, err)
	}
	return loaded.(entry), nil
}

// load reads all.
func (t *Table) load(ctx context.Context, appID string, changes uint64) (entry, error) {
	at := t.now()
	list, err := t.source.Routes(ctx, appID)
	if err != nil {
		return entry{}, err
	}
	rate, err := t.source.ThrottleRate(ctx, appID)
	if err != nil {
		return entry{}, err
	}
	endpoints := make([]*posthorn.Endpoint, len(list))
	for i := range list {
		endpoints[i] = &list[i]
	}
	loaded := entry{endpoints: endpoints, throttle: rate, loadedAt: at}
	t.keep(appID, loaded, changes)
	return loaded, nil
}

// refresh reads those that are stale.
func (t *Table) refresh(ctx context.Context, appID string, e entry, changes uint64) (entry, error) {
	endpoints := slices.Clone(e.endpoints)
	for _, id := range e.stale {
		at, known := slices.BinarySearchFunc(endpoints, id, func(ep *posthorn.Endpoint, id string) int { return strings.Compare(ep.ID, id) })
		ep, err := t.source.Endpoint(ctx, appID, id)
		switch {
		case posthorn.CodeOf(err) == posthorn.NotFound:
			if known {
				endpoints = slices.Delete(endpoints, at, at+1)
			}
		case err != nil:
			return entry{}, err
		case known:
			endpoints[at] = &ep
		default:
			endpoints = slices.Insert(endpoints, at, &ep)
		}
	}
	e.endpoints, e.stale = endpoints, nil
	t.keep(appID, e, changes)
	return e, nil
}

// keep remembers what was read when there had been so many changes. What changed meanwhile is stale.
func (t *Table) keep(appID string, e entry, changes uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := t.changes - changes
	if since > uint64(len(t.log)) {
		return
	}
	for _, c := range t.log[uint64(len(t.log))-since:] {
		switch {
		case c.appID != appID:
		case c.endpointID == "":
			return
		default:
			e.stale = append(e.stale, c.endpointID)
		}
	}
	if _, replaced := t.routes[appID]; !replaced && len(t.routes) >= maxApplications {
		for other := range t.routes {
			delete(t.routes, other)
			break
		}
	}
	t.routes[appID] = e
}

func (t *Table) forget(appID, endpointID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	if len(t.log) >= 2*maxLog {
		t.log = slices.Clone(t.log[maxLog:])
	}
	t.log = append(t.log, change{appID, endpointID})
	e, ok := t.routes[appID]
	switch {
	case !ok:
	case endpointID == "", len(e.stale) >= maxStale:
		delete(t.routes, appID)
	default:
		e.stale = append(slices.Clip(e.stale), endpointID) // others may be reading it
		t.routes[appID] = e
	}
}
