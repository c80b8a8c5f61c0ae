package sqlstore

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const (
	endpointColumns = "id, app_id, uid, url, description, event_types, channels, disabled, throttle_rate, metadata, headers, " +
		"secrets, created_at, updated_at, deleted_at, disabled_reason, payload_version, payload_versions, paused_at, " +
		"ordered, retry_schedule, cancel_before, max_in_flight"

	// deleteEndpoint is what is set on deletion, given the time. Headers go like secrets: their values may be some.
	deleteEndpoint = "deleted_at = ?, secrets = NULL, headers = NULL"
)

// endpointFields begins with the ID, because the sealed columns are bound to it.
func (s *Store) endpointFields(e *posthorn.Endpoint) []any {
	return []any{
		&e.ID, &e.AppID, text{&e.UID}, &e.URL, &e.Description, jsonOf(&e.EventTypes), jsonOf(&e.Channels), &e.Disabled,
		&e.ThrottleRate, jsonOf(&e.Metadata), s.sealed("endpoint.headers", &e.ID, jsonOf(&e.Headers)), s.sealed("endpoint.secrets", &e.ID, secrets{&e.Secrets}),
		moment{&e.CreatedAt}, moment{&e.UpdatedAt}, moment{&e.DeletedAt}, text{&e.DisabledReason},
		text{&e.PayloadVersion}, jsonOf(&e.PayloadVersions), moment{&e.PausedAt}, &e.Ordered, schedule{&e.RetrySchedule},
		moment{&e.CancelBefore}, &e.MaxInFlight,
	}
}

// CreateEndpoint implements [store.Endpoints].
func (s *Store) CreateEndpoint(ctx context.Context, ep posthorn.Endpoint) (err error) {
	defer s.annotate(&err, "creating endpoint %s", ep.ID)
	err = s.writeLocked(ctx, []string{applicationLock(ep.AppID)}, func(ctx context.Context, tx *Session) error {
		inserted, err := tx.insert(ctx,
			"INSERT INTO endpoint ("+endpointColumns+") VALUES ("+placeholders(endpointColumns)+")",
			s.endpointFields(&ep)...)
		if err := orDuplicate(inserted, err); err != nil {
			return uniqueEndpoint(err, &ep)
		}
		if err := tx.tx.Routed(ctx, ep.AppID, true); err != nil {
			return err
		}
		return s.tellEndpoint(ctx, tx, nil, &ep, time.Time{})
	})
	if err != nil {
		return err
	}
	s.routesChanged(ep.AppID, ep.ID)
	return nil
}

// Endpoint implements [store.Endpoints].
func (s *Store) Endpoint(ctx context.Context, appID, ref string) (ep posthorn.Endpoint, err error) {
	defer s.annotate(&err, "reading endpoint %s", ref)
	return read(s, func(q *Session) (posthorn.Endpoint, error) { return s.findEndpoint(ctx, q, appID, ref) })
}

// UpdateEndpoint implements [store.Endpoints]. The ID, the application, the time of creation and the existence don't
// change.
func (s *Store) UpdateEndpoint(
	ctx context.Context, appID, ref string, change func(*posthorn.Endpoint) error,
) (ep posthorn.Endpoint, err error) {
	defer s.annotate(&err, "updating endpoint %s", ref)
	return s.updateEndpoint(ctx, appID, ref, change, nil)
}

// ResumeEndpoint implements [store.Waiting].
func (s *Store) ResumeEndpoint(
	ctx context.Context, appID, ref string, r posthorn.Release, now time.Time,
) (ep posthorn.Endpoint, err error) {
	defer s.annotate(&err, "resuming endpoint %s", ref)
	r.At = now.UTC() // releases are compared, and a zone would make equal ones differ
	return s.updateEndpoint(ctx, appID, ref, func(e *posthorn.Endpoint) error {
		e.SetDisabled(false, "")
		e.PausedAt, e.UpdatedAt = time.Time{}, now
		return nil
	}, &r)
}

// updateEndpoint also says how what was held is let go, where somebody says so.
func (s *Store) updateEndpoint(
	ctx context.Context, appID, ref string, change func(*posthorn.Endpoint) error, release *posthorn.Release,
) (posthorn.Endpoint, error) {
	attention := posthorn.Attention{AppID: appID}
	if release != nil {
		attention.Release = *release
	}
	var before posthorn.Endpoint
	var changes []posthorn.HealthChange
	needsAttention := func(ep *posthorn.Endpoint) bool { return release != nil || callsForAttention(&before, ep) }
	ep, err := update(ctx, s,
		func(ctx context.Context, tx *Session) (posthorn.Endpoint, error) {
			ep, err := s.findEndpoint(ctx, tx, appID, ref)
			if err != nil {
				return ep, err
			}
			return ep, tx.lock(applicationLock(appID), endpointLock(ep.ID))
		},
		func(ep *posthorn.Endpoint) string { return endpointLock(ep.ID) },
		func(ep *posthorn.Endpoint) error {
			before = *ep
			err := change(ep)
			ep.ID, ep.AppID, ep.CreatedAt, ep.DeletedAt = before.ID, before.AppID, before.CreatedAt, before.DeletedAt
			return err
		},
		func(ctx context.Context, tx *Session, ep *posthorn.Endpoint) error {
			was, err := s.findEndpoint(ctx, tx, appID, ep.ID) // before may share maps with what change has made
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx,
				"UPDATE endpoint SET ("+endpointColumns+") = ("+placeholders(endpointColumns)+") WHERE id = ?",
				append(s.endpointFields(ep), ep.ID)...)
			if err != nil {
				return uniqueEndpoint(err, ep)
			}
			if err := tx.tx.Routed(ctx, appID, true); err != nil {
				return err
			}
			if before.ThrottleRate != ep.ThrottleRate {
				if err := s.resetThrottle(ctx, tx, "owner_id = ?", ep.ID); err != nil {
					return err
				}
			}
			is, err := s.findEndpoint(ctx, tx, appID, ep.ID)
			if err != nil {
				return err
			}
			if err := s.tellEndpoint(ctx, tx, &was, &is, time.Time{}); err != nil {
				return err
			}
			changes = nil
			if release != nil || unblocks(&before, ep) || ep.URL != before.URL {
				if changes, err = s.startAfresh(ctx, tx, ep); err != nil {
					return err
				}
			}
			if !needsAttention(ep) {
				return nil
			}
			if release == nil && unblocks(&before, ep) { // without a word about it, what somebody said long ago is not meant
				attention.Release = posthorn.Release{Rate: posthorn.DefaultReleaseRate}
			}
			attention.EndpointID, attention.Retime = ep.ID, retimes(before.RetrySchedule, ep.RetrySchedule)
			return attend(ctx, tx, attention)
		})
	if err != nil {
		return posthorn.Endpoint{}, err
	}
	s.routesChanged(appID, ep.ID)
	s.passOn(effects{changes: changes})
	if needsAttention(&ep) || len(changes) > 0 {
		s.attentionNeeded(appID, ep.ID)
	}
	return ep, nil
}

// DeleteEndpoint implements [store.Endpoints].
func (s *Store) DeleteEndpoint(ctx context.Context, appID, ref string, now time.Time) (err error) {
	defer s.annotate(&err, "deleting endpoint %s", ref)
	var ep posthorn.Endpoint
	err = s.write(ctx, func(ctx context.Context, tx *Session) (err error) {
		if ep, err = s.findEndpoint(ctx, tx, appID, ref); err != nil {
			return err
		}
		if err := tx.lock(applicationLock(appID), endpointLock(ep.ID)); err != nil {
			return err
		}
		if _, err = tx.Exec(ctx, "UPDATE endpoint SET "+deleteEndpoint+" WHERE id = ?", moment{&now}, ep.ID); err != nil {
			return err
		}
		if err := tx.tx.Routed(ctx, appID, true); err != nil {
			return err
		}
		if err := s.forgetHealth(ctx, tx, ep.ID); err != nil {
			return err
		}
		if err := s.tellEndpoint(ctx, tx, &ep, nil, time.Time{}); err != nil {
			return err
		}
		return attend(ctx, tx, posthorn.Attention{EndpointID: ep.ID, AppID: ep.AppID})
	})
	if err != nil {
		return err
	}
	s.routesChanged(appID, ep.ID)
	s.attentionNeeded(appID, ep.ID)
	return nil
}

// ListEndpoints implements [store.Endpoints].
func (s *Store) ListEndpoints(
	ctx context.Context, appID string, page store.Page,
) (eps store.List[posthorn.Endpoint], err error) {
	defer s.annotate(&err, "listing endpoints of %s", appID)
	return list(ctx, s, s.endpointFields, page, listEndpoints(appID, page))
}

func listEndpoints(appID string, page store.Page) *query {
	q := newQuery("SELECT " + endpointColumns + " FROM endpoint")
	q.where("app_id = ? AND deleted_at IS NULL", appID)
	return q.page("id", page)
}

// Routes implements [store.Endpoints].
func (s *Store) Routes(ctx context.Context, appID string) (eps []posthorn.Endpoint, err error) {
	defer s.annotate(&err, "reading the routes of %s", appID)
	return many(ctx, s, s.endpointFields, routes(appID))
}

func routes(appID string) *query {
	return newQuery("SELECT "+endpointColumns+
		" FROM endpoint WHERE app_id = ? AND deleted_at IS NULL ORDER BY id", appID)
}

// OnRouteChange implements [store.Endpoints]. f is called before the method that made the change returns.
func (s *Store) OnRouteChange(f func(appID, endpointID string)) { s.notify = append(s.notify, f) }

func (s *Store) findEndpoint(ctx context.Context, q *Session, appID, ref string) (posthorn.Endpoint, error) {
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
