package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/posthorn/posthorn"
)

// OnNotice implements [store.Notices]. f is called before the method that stored the notice returns.
func (s *Store) OnNotice(f func(posthorn.Message)) { s.onNotice = append(s.onNotice, f) }

// audience is who is told of what happens to an organisation's webhooks.
type audience struct {
	appID     string              // of the application that holds the endpoints
	endpoints []posthorn.Endpoint // its routes
}

func (a *audience) wants(event string) bool {
	m := posthorn.Message{EventType: event}
	return slices.ContainsFunc(a.endpoints, func(e posthorn.Endpoint) bool { return e.Wants(&m) })
}

// audienceOf finds the audience of an organisation. It is asked within the transaction that there is something to tell of,
// so whoever subscribes before that is told.
func (s *Store) audienceOf(ctx context.Context, tx *Session, org string) (audience, error) {
	var to audience
	if posthorn.IsOperational(org) {
		return to, nil
	}
	err := tx.row(ctx, []any{&to.appID}, "SELECT id FROM application WHERE org_id = ? AND uid = ? AND deleted_at IS NULL",
		posthorn.OperationalOrg(org), posthorn.OperationalUID)
	if errors.Is(err, sql.ErrNoRows) {
		return to, nil
	}
	if err != nil {
		return to, err
	}
	wanted := routes(to.appID)
	to.endpoints, err = all(ctx, tx, s.endpointFields, wanted.text.String(), wanted.args...)
	return to, err
}

// affected finds an application to which something happens, deleted or not, and its audience. Of an application that
// isn't there nobody is told.
func (s *Store) affected(ctx context.Context, tx *Session, appID string) (posthorn.Application, audience, error) {
	app, err := one(ctx, tx, applicationFields, "SELECT "+applicationColumns+" FROM application WHERE id = ?", appID)
	if errors.Is(err, sql.ErrNoRows) {
		return app, audience{}, nil
	}
	if err != nil {
		return app, audience{}, err
	}
	to, err := s.audienceOf(ctx, tx, app.OrgID)
	return app, to, err
}

// tell stores notices for an audience in the transaction of what they tell.
func (s *Store) tell(ctx context.Context, tx *Session, to *audience, notices ...posthorn.Notice) error {
	for _, notice := range notices {
		if !to.wants(notice.Type) {
			continue
		}
		m, err := notice.Message(to.appID, s.now())
		if err != nil {
			return err
		}
		if err := insertUndispatched(ctx, tx, &m); err != nil {
			return err
		}
		tx.notices = append(tx.notices, m)
	}
	return nil
}

// tellEndpoint tells what a transaction does to an endpoint, as [posthorn.EndpointNotices] says.
func (s *Store) tellEndpoint(ctx context.Context, tx *Session, before, after *posthorn.Endpoint, failSince time.Time) error {
	subject := after
	if subject == nil {
		subject = before
	}
	return s.tellOf(ctx, tx, subject.AppID, func(app *posthorn.Application) []posthorn.Notice {
		return posthorn.EndpointNotices(app, before, after, failSince)
	})
}

// tellOf tells what happens to an application, if somebody listens.
func (s *Store) tellOf(ctx context.Context, tx *Session, appID string, notices func(*posthorn.Application) []posthorn.Notice) error {
	app, to, err := s.affected(ctx, tx, appID)
	if err != nil || len(to.endpoints) == 0 {
		return err
	}
	return s.tell(ctx, tx, &to, notices(&app)...)
}

// tellDeletedWith tells of the endpoints that will be deleted with their application.
func (s *Store) tellDeletedWith(ctx context.Context, tx *Session, app *posthorn.Application) error {
	to, err := s.audienceOf(ctx, tx, app.OrgID)
	if err != nil || !to.wants(posthorn.EventEndpointDeleted) {
		return err
	}
	endpoints, err := all(ctx, tx, s.endpointFields,
		"SELECT "+endpointColumns+" FROM endpoint WHERE app_id = ? AND deleted_at IS NULL ORDER BY id", app.ID)
	if err != nil {
		return err
	}
	for i := range endpoints {
		if err := s.tell(ctx, tx, &to, posthorn.EndpointNotices(app, &endpoints[i], nil, time.Time{})...); err != nil {
			return err
		}
	}
	return nil
}

// tellTask tells that a task has ended.
func (s *Store) tellTask(ctx context.Context, tx *Session, t *posthorn.Task) error {
	to, err := s.audienceOf(ctx, tx, t.OrgID)
	if err != nil {
		return err
	}
	return s.tell(ctx, tx, &to, posthorn.TaskNotice(t))
}

// alarm tells of a delivery, by the attempt that moved it on or else the newest scheduled one.
func (r *recording) alarm(event string, d *deliveryRow, last *posthorn.Attempt) error {
	if r.app == nil {
		app, to, err := r.store.affected(r.ctx, r.tx, d.AppID)
		if err != nil {
			return err
		}
		r.app, r.to = &app, to
	}
	if !r.to.wants(event) {
		return nil
	}
	m := posthorn.Message{ID: d.MessageID}
	err := r.tx.row(r.ctx, []any{text{&m.EventID}}, "SELECT event_id FROM message WHERE id = ?", m.ID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	ep := posthorn.Endpoint{ID: d.EndpointID, AppID: d.AppID}
	err = r.tx.row(r.ctx, []any{text{&ep.UID}}, "SELECT uid FROM endpoint WHERE id = ?", ep.ID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if last == nil && d.newest != "" {
		last = &posthorn.Attempt{ID: d.newest}
		err := r.tx.row(r.ctx, []any{&last.Status, moment{&last.StartedAt}},
			"SELECT status, started_at FROM attempt WHERE message_id = ? AND id = ?", d.MessageID, d.newest)
		if err != nil {
			return err
		}
	}
	return r.store.tell(r.ctx, r.tx, &r.to, posthorn.DeliveryNotice(event, r.app, &ep, &m, &d.Delivery, last))
}
