package sqlstore

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const applicationColumns = "id, org_id, uid, name, throttle_rate, metadata, created_at, updated_at"

func applicationFields(a *posthorn.Application) []any {
	return []any{
		&a.ID, &a.OrgID, text{&a.UID}, &a.Name, &a.ThrottleRate, jsonOf(&a.Metadata),
		moment{&a.CreatedAt}, moment{&a.UpdatedAt},
	}
}

// CreateApplication implements [store.Applications].
func (s *Store) CreateApplication(ctx context.Context, app posthorn.Application) (err error) {
	defer s.annotate(&err, "creating application %s", app.ID)
	return s.write(ctx, func(ctx context.Context, tx *Session) error {
		inserted, err := tx.insert(ctx,
			"INSERT INTO application ("+applicationColumns+") VALUES ("+placeholders(applicationColumns)+")", applicationFields(&app)...)
		return uniqueApplication(orDuplicate(inserted, err), &app)
	})
}

// Application implements [store.Applications].
func (s *Store) Application(ctx context.Context, org, ref string) (app posthorn.Application, err error) {
	defer s.annotate(&err, "reading application %s", ref)
	return read(s, func(q *Session) (posthorn.Application, error) { return findApplication(ctx, q, org, ref) })
}

// UpdateApplication implements [store.Applications]. The ID, the organisation and the time of creation don't change.
func (s *Store) UpdateApplication(
	ctx context.Context, org, ref string, change func(*posthorn.Application) error,
) (app posthorn.Application, err error) {
	defer s.annotate(&err, "updating application %s", ref)
	var rate int
	var throttled []string
	app, err = update(ctx, s,
		func(ctx context.Context, tx *Session) (posthorn.Application, error) {
			return findApplication(ctx, tx, org, ref)
		},
		func(app *posthorn.Application) string { return applicationLock(app.ID) },
		func(app *posthorn.Application) error {
			before := *app
			rate, throttled = before.ThrottleRate, nil
			err := change(app)
			app.ID, app.OrgID, app.CreatedAt = before.ID, before.OrgID, before.CreatedAt
			return err
		},
		func(ctx context.Context, tx *Session, app *posthorn.Application) error {
			if app.ThrottleRate != rate {
				if err := tx.lockEndpoints(ctx, app.ID); err != nil {
					return err
				}
			}
			_, err := tx.Exec(ctx,
				"UPDATE application SET ("+applicationColumns+") = ("+placeholders(applicationColumns)+") WHERE id = ?",
				append(applicationFields(app), app.ID)...)
			if err != nil || app.ThrottleRate == rate {
				return uniqueApplication(err, app)
			}
			throttled, err = s.resetThrottles(ctx, tx, app.ID)
			return err
		})
	if err != nil {
		return posthorn.Application{}, err
	}
	if app.ThrottleRate != rate {
		s.routesChanged(app.ID, "")
	}
	for _, endpoint := range throttled {
		s.attentionNeeded(app.ID, endpoint)
	}
	return app, nil
}

// DeleteApplication implements [store.Applications]. The secrets of its endpoints and its pollers are erased.
func (s *Store) DeleteApplication(ctx context.Context, org, ref string, now time.Time) (err error) {
	defer s.annotate(&err, "deleting application %s", ref)
	var app posthorn.Application
	err = s.write(ctx, func(ctx context.Context, tx *Session) (err error) {
		if app, err = findApplication(ctx, tx, org, ref); err != nil {
			return err
		}
		if err := tx.lock(applicationLock(app.ID)); err != nil {
			return err
		}
		if err := tx.lockEndpoints(ctx, app.ID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE application SET deleted_at = ? WHERE id = ?", moment{&now}, app.ID); err != nil {
			return err
		}
		if err := erasePollers(ctx, tx, "app_id = ?", app.ID); err != nil {
			return err
		}
		if err := s.tellDeletedWith(ctx, tx, &app); err != nil {
			return err
		}
		if _, err := attendAll(ctx, tx, "app_id = ? AND deleted_at IS NULL", app.ID); err != nil {
			return err
		}
		const unwell = "DELETE FROM endpoint_health WHERE endpoint_id IN (SELECT id FROM endpoint WHERE app_id = ? AND deleted_at IS NULL)"
		if _, err := tx.Exec(ctx, unwell, app.ID); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE endpoint SET "+deleteEndpoint+" WHERE app_id = ? AND deleted_at IS NULL", moment{&now}, app.ID)
		return err
	})
	if err != nil {
		return err
	}
	s.routesChanged(app.ID, "")
	return nil
}

// Owner implements [store.Applications].
func (s *Store) Owner(ctx context.Context, appID string) (org string, err error) {
	defer s.annotate(&err, "reading the owner of %s", appID)
	return read(s, func(q *Session) (string, error) {
		org, err := one(ctx, q, func(org *string) []any { return []any{org} }, "SELECT org_id FROM application WHERE id = ?", appID)
		return org, notFound(err, "application %q", appID)
	})
}

// ListApplications implements [store.Applications].
func (s *Store) ListApplications(
	ctx context.Context, org string, page store.Page,
) (apps store.List[posthorn.Application], err error) {
	defer s.annotate(&err, "listing applications of %s", org)
	return list(ctx, s, applicationFields, page, listApplications(org, page))
}

func listApplications(org string, page store.Page) *query {
	q := newQuery("SELECT " + applicationColumns + " FROM application")
	q.where("org_id = ? AND deleted_at IS NULL", org)
	return q.page("id", page)
}

func findApplication(ctx context.Context, q *Session, org, ref string) (posthorn.Application, error) {
	app, err := byRef(posthorn.ApplicationID, ref, "uid", func(column string) (posthorn.Application, error) {
		return one(ctx, q, applicationFields,
			"SELECT "+applicationColumns+" FROM application WHERE org_id = ? AND "+column+" = ? AND deleted_at IS NULL", org, ref)
	})
	return app, notFound(err, "application %q", ref)
}

func uniqueApplication(err error, app *posthorn.Application) error {
	if isDuplicate(err) {
		return posthorn.Errorf(posthorn.Conflict, "another application has the uid %q", app.UID)
	}
	return err
}
