package sqlite

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const (
	endpointColumns = "id, app_id, uid, url, description, event_types, channels, disabled, throttle_rate, metadata, headers, " +
		"secrets, created_at, updated_at, deleted_at, disabled_reason, payload_version, payload_versions"

	// deleteEndpoint is what is set on deletion, given the time. Headers go like secrets: their values may be some.
	deleteEndpoint = "deleted_at = ?, secrets = NULL, headers = NULL"
)

// endpointFields begins with the ID, because the sealed columns are bound to it.
func (s *Store) endpointFields(e *posthorn.Endpoint) []any {
	return []any{
		&e.ID, &e.AppID, text{&e.UID}, &e.URL, &e.Description, jsonOf(&e.EventTypes), jsonOf(&e.Channels), &e.Disabled,
		&e.ThrottleRate, jsonOf(&e.Metadata), s.sealed("endpoint.headers", &e.ID, jsonOf(&e.Headers)), s.sealed("endpoint.secrets", &e.ID, secrets{&e.Secrets}),
		moment{&e.CreatedAt}, moment{&e.UpdatedAt}, moment{&e.DeletedAt}, text{&e.DisabledReason},
		text{&e.PayloadVersion}, jsonOf(&e.PayloadVersions),
	}
}

// CreateEndpoint implements [store.Endpoints].
func (s *Store) CreateEndpoint(ctx context.Context, ep posthorn.Endpoint) (err error) {
	defer annotate(&err, "creating endpoint %s", ep.ID)
	err = s.write(ctx, func(ctx context.Context, tx *statements) error {
		_, err := tx.exec(ctx,
			"INSERT INTO endpoint ("+endpointColumns+") VALUES ("+placeholders(endpointColumns)+")",
			s.endpointFields(&ep)...)
		return uniqueEndpoint(err, &ep)
	})
	if err != nil {
		return err
	}
	s.routesChanged(ep.AppID)
	return nil
}

// Endpoint implements [store.Endpoints].
func (s *Store) Endpoint(ctx context.Context, appID, ref string) (ep posthorn.Endpoint, err error) {
	defer annotate(&err, "reading endpoint %s", ref)
	return read(s, func(q *statements) (posthorn.Endpoint, error) { return s.findEndpoint(ctx, q, appID, ref) })
}

// UpdateEndpoint implements [store.Endpoints]. The ID, the application, the time of creation and the existence don't
// change.
func (s *Store) UpdateEndpoint(
	ctx context.Context, appID, ref string, change func(*posthorn.Endpoint) error,
) (ep posthorn.Endpoint, err error) {
	defer annotate(&err, "updating endpoint %s", ref)
	ep, err = update(ctx, s,
		func(ctx context.Context, tx *statements) (posthorn.Endpoint, error) {
			return s.findEndpoint(ctx, tx, appID, ref)
		},
		func(ep *posthorn.Endpoint) error {
			before := *ep
			err := change(ep)
			ep.ID, ep.AppID, ep.CreatedAt, ep.DeletedAt = before.ID, before.AppID, before.CreatedAt, before.DeletedAt
			return err
		},
		func(ctx context.Context, tx *statements, ep *posthorn.Endpoint) error {
			_, err := tx.exec(ctx,
				"UPDATE endpoint SET ("+endpointColumns+") = ("+placeholders(endpointColumns)+") WHERE id = ?",
				append(s.endpointFields(ep), ep.ID)...)
			return uniqueEndpoint(err, ep)
		})
	if err != nil {
		return posthorn.Endpoint{}, err
	}
	s.routesChanged(appID)
	return ep, nil
}

// DeleteEndpoint implements [store.Endpoints].
func (s *Store) DeleteEndpoint(ctx context.Context, appID, ref string, now time.Time) (err error) {
	defer annotate(&err, "deleting endpoint %s", ref)
	err = s.write(ctx, func(ctx context.Context, tx *statements) error {
		ep, err := s.findEndpoint(ctx, tx, appID, ref)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, "UPDATE endpoint SET "+deleteEndpoint+" WHERE id = ?", moment{&now}, ep.ID)
		return err
	})
	if err != nil {
		return err
	}
	s.routesChanged(appID)
	return nil
}

// ListEndpoints implements [store.Endpoints].
func (s *Store) ListEndpoints(
	ctx context.Context, appID string, page store.Page,
) (eps store.List[posthorn.Endpoint], err error) {
	defer annotate(&err, "listing endpoints of %s", appID)
	return list(ctx, s, s.endpointFields, page, listEndpoints(appID, page))
}

func listEndpoints(appID string, page store.Page) *query {
	q := newQuery("SELECT " + endpointColumns + " FROM endpoint")
	q.where("app_id = ? AND deleted_at IS NULL", appID)
	return q.page("id", page)
}

// Routes implements [store.Endpoints].
func (s *Store) Routes(ctx context.Context, appID string) (eps []posthorn.Endpoint, err error) {
	defer annotate(&err, "reading the routes of %s", appID)
	return many(ctx, s, s.endpointFields, routes(appID))
}

func routes(appID string) *query {
	return newQuery("SELECT "+endpointColumns+
		" FROM endpoint WHERE app_id = ? AND deleted_at IS NULL AND NOT disabled ORDER BY id", appID)
}

// OnRouteChange implements [store.Endpoints]. f is called before the method that made the change returns.
func (s *Store) OnRouteChange(f func(appID string)) { s.notify = append(s.notify, f) }

func (s *Store) findEndpoint(ctx context.Context, q *statements, appID, ref string) (posthorn.Endpoint, error) {
	ep, err := byRef(posthorn.EndpointID, ref, "uid", func(column string) (posthorn.Endpoint, error) {
		return one(ctx, q, s.endpointFields,
			"SELECT "+endpointColumns+" FROM endpoint WHERE app_id = ? AND "+column+" = ? AND deleted_at IS NULL", appID, ref)
	})
	return ep, notFound(err, "endpoint %q", ref)
}

func uniqueEndpoint(err error, ep *posthorn.Endpoint) error {
	if isDuplicate(err) {
		return posthorn.Errorf(posthorn.Conflict, "another endpoint of the application has the uid %q", ep.UID)
	}
	return err
}
