package sqlite

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
	defer annotate(&err, "creating application %s", app.ID)
	return s.write(ctx, func(ctx context.Context, tx *statements) error {
		_, err := tx.exec(ctx,
			"INSERT INTO application ("+applicationColumns+") VALUES ("+placeholders(applicationColumns)+")", applicationFields(&app)...)
		return uniqueApplication(err, &app)
	})
}

// Application implements [store.Applications].
func (s *Store) Application(ctx context.Context, org, ref string) (app posthorn.Application, err error) {
	defer annotate(&err, "reading application %s", ref)
	return read(s, func(q *statements) (posthorn.Application, error) { return findApplication(ctx, q, org, ref) })
}

// UpdateApplication implements [store.Applications]. The ID, the organisation and the time of creation don't change.
func (s *Store) UpdateApplication(
	ctx context.Context, org, ref string, change func(*posthorn.Application) error,
) (app posthorn.Application, err error) {
	defer annotate(&err, "updating application %s", ref)
	return update(ctx, s,
		func(ctx context.Context, tx *statements) (posthorn.Application, error) {
			return findApplication(ctx, tx, org, ref)
		},
		func(app *posthorn.Application) error {
			before := *app
			err := change(app)
			app.ID, app.OrgID, app.CreatedAt = before.ID, before.OrgID, before.CreatedAt
			return err
		},
		func(ctx context.Context, tx *statements, app *posthorn.Application) error {
			_, err := tx.exec(ctx,
				"UPDATE application SET ("+applicationColumns+") = ("+placeholders(applicationColumns)+") WHERE id = ?",
				append(applicationFields(app), app.ID)...)
			return uniqueApplication(err, app)
		})
}

// DeleteApplication implements [store.Applications]. The secrets of its endpoints and its pollers are erased.
func (s *Store) DeleteApplication(ctx context.Context, org, ref string, now time.Time) (err error) {
	defer annotate(&err, "deleting application %s", ref)
	var app posthorn.Application
	err = s.write(ctx, func(ctx context.Context, tx *statements) (err error) {
		if app, err = findApplication(ctx, tx, org, ref); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, "UPDATE application SET deleted_at = ? WHERE id = ?", moment{&now}, app.ID); err != nil {
			return err
		}
		if err := erasePollers(ctx, tx, "app_id = ?", app.ID); err != nil {
			return err
		}
		_, err = tx.exec(ctx, "UPDATE endpoint SET "+deleteEndpoint+" WHERE app_id = ? AND deleted_at IS NULL", moment{&now}, app.ID)
		return err
	})
	if err != nil {
		return err
	}
	s.routesChanged(app.ID)
	return nil
}

// ListApplications implements [store.Applications].
func (s *Store) ListApplications(
	ctx context.Context, org string, page store.Page,
) (apps store.List[posthorn.Application], err error) {
	defer annotate(&err, "listing applications of %s", org)
	return list(ctx, s, applicationFields, page, listApplications(org, page))
}

func listApplications(org string, page store.Page) *query {
	q := newQuery("SELECT " + applicationColumns + " FROM application")
	q.where("org_id = ? AND deleted_at IS NULL", org)
	return q.page("id", page)
}

func findApplication(ctx context.Context, q *statements, org, ref string) (posthorn.Application, error) {
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
