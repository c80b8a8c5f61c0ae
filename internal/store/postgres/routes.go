package postgres

import (
	"context"
	"sync"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// What a process remembers of an application's endpoints is out of date when another process has changed them. So each
// change counts up a number in the table route, by triggers, and whoever stores a message or reads one asks for the number
// of its application: in a group, together with what it writes. A number that is not known means that what is remembered
// has to be forgotten, before the caller goes on.

// routeVersion asks for an application's number.
const routeVersion = "SELECT coalesce((SELECT version FROM route WHERE app_id = ?), 0)"

// asked is a request for an application's number.
type asked struct {
	appID   string
	ours    bool // this process has just changed it, and says so itself
	request *request
}

// maxVersions bounds how many numbers are known.
const maxVersions = 100_000

// routeVersions are the numbers of applications that are known.
type routeVersions struct {
	mu       sync.Mutex
	known    map[string]int64
	outdated func(appID string)
}

func newRouteVersions() *routeVersions {
	return &routeVersions{known: map[string]int64{}, outdated: func(string) {}}
}

// follow has f called with each application of which nothing that was remembered may be used any more.
func (v *routeVersions) follow(f func(appID string)) { v.outdated = f }

// note takes note of an application's number.
func (v *routeVersions) note(appID string, version int64, ours bool) {
	if v.learn(appID, version, ours) {
		v.outdated(appID)
	}
}

func (v *routeVersions) learn(appID string, version int64, ours bool) (outdated bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	known, isKnown := v.known[appID]
	if isKnown && version <= known {
		return false // it was asked for before another was
	}
	if !isKnown && len(v.known) >= maxVersions {
		clear(v.known)
	}
	v.known[appID] = version
	return !ours || version != known+1
}

// noteAll takes note of what a group has asked for.
func (v *routeVersions) noteAll(all []asked) {
	for _, a := range all {
		var version int64
		if err := a.request.answer.scanOne(&version); err == nil {
			v.note(a.appID, version, a.ours)
		}
	}
}

// Routed implements [sqlstore.Transaction].
func (c *course) Routed(_ context.Context, appID string, changed bool) error {
	return c.group.askVersion(appID, changed)
}

func (g *group) askVersion(appID string, ours bool) error {
	for _, a := range g.versions {
		if a.appID == appID && !ours {
			return nil
		}
	}
	r, err := fixed(routeVersion, []any{appID})
	if err != nil {
		return err
	}
	g.posted = append(g.posted, r)
	g.versions = append(g.versions, asked{appID, ours, r})
	return nil
}

// MessageByID implements [store.Messages].
func (s *Store) MessageByID(ctx context.Context, id string) (posthorn.Message, error) {
	m, err := s.Store.MessageByID(ctx, id)
	if err != nil {
		return m, err
	}
	return m, s.During(func() error { return s.refusal("reading the version of routes", s.server.askVersion(ctx, m.AppID)) })
}

func (d *server) askVersion(ctx context.Context, appID string) error {
	var version int64
	found, err := (&reader{d.readers}).Query(ctx, routeVersion, appID)
	if err != nil {
		return err
	}
	defer found.Close() //nolint:errcheck // what matters came with the row
	if !found.Next() {
		return found.Err()
	}
	if err := found.Scan(&version); err != nil {
		return err
	}
	d.versions.note(appID, version, false)
	return nil
}

var _ sqlstore.Transaction = (*course)(nil)
