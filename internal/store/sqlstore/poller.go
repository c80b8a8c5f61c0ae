package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const pollerColumns = "id, app_id, uid, description, event_types, channels, disabled, secrets, start, created_at, updated_at"

// pollerFields begins with the ID, because the sealed column is bound to it.
func (s *Store) pollerFields(p *posthorn.Poller) []any {
	return []any{
		&p.ID, &p.AppID, text{&p.UID}, &p.Description, jsonOf(&p.EventTypes), jsonOf(&p.Channels), &p.Disabled,
		s.sealed("poller.secrets", &p.ID, secrets{&p.Secrets}), text{&p.Start}, moment{&p.CreatedAt}, moment{&p.UpdatedAt},
	}
}

// CreatePoller implements [store.Polling].
func (s *Store) CreatePoller(ctx context.Context, p posthorn.Poller) (made posthorn.Poller, err error) {
	defer s.annotate(&err, "creating poller %s", p.ID)
	if err := s.awaitSettled(ctx, p.AppID); err != nil {
		return posthorn.Poller{}, err
	}
	err = s.write(ctx, func(ctx context.Context, tx *Session) error {
		made = p
		made.Start = ""
		err := tx.row(ctx, []any{&made.Start}, newestMessage(s.settled()), p.AppID)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		inserted, err := tx.insert(ctx, "INSERT INTO poller ("+pollerColumns+") VALUES ("+placeholders(pollerColumns)+")", s.pollerFields(&made)...)
		return uniquePoller(orDuplicate(inserted, err), &p)
	})
	if err != nil {
		return posthorn.Poller{}, err
	}
	return made, nil
}

func newestMessage(settled string) string {
	return "SELECT id FROM message WHERE app_id = ?" + settled + " ORDER BY seq DESC LIMIT 1"
}

// Poller implements [store.Polling].
func (s *Store) Poller(ctx context.Context, appID, ref string) (p posthorn.Poller, err error) {
	defer s.annotate(&err, "reading poller %s", ref)
	return read(s, func(q *Session) (posthorn.Poller, error) { return s.findPoller(ctx, q, appID, ref) })
}

// UpdatePoller implements [store.Polling]. The ID, the application, the start and the time of creation don't change.
func (s *Store) UpdatePoller(
	ctx context.Context, appID, ref string, change func(*posthorn.Poller) error,
) (p posthorn.Poller, err error) {
	defer s.annotate(&err, "updating poller %s", ref)
	return update(ctx, s,
		func(ctx context.Context, tx *Session) (posthorn.Poller, error) {
			return s.findPoller(ctx, tx, appID, ref)
		},
		func(p *posthorn.Poller) string { return pollerLock(p.ID) },
		func(p *posthorn.Poller) error {
			before := *p
			err := change(p)
			p.ID, p.AppID, p.Start, p.CreatedAt = before.ID, before.AppID, before.Start, before.CreatedAt
			return err
		},
		func(ctx context.Context, tx *Session, p *posthorn.Poller) error {
			_, err := tx.Exec(ctx, "UPDATE poller SET ("+pollerColumns+") = ("+placeholders(pollerColumns)+") WHERE id = ?",
				append(s.pollerFields(p), p.ID)...)
			return uniquePoller(err, p)
		})
}

// DeletePoller implements [store.Polling].
func (s *Store) DeletePoller(ctx context.Context, appID, ref string) (err error) {
	defer s.annotate(&err, "deleting poller %s", ref)
	return s.write(ctx, func(ctx context.Context, tx *Session) error {
		p, err := s.findPoller(ctx, tx, appID, ref)
		if err != nil {
			return err
		}
		if err := tx.lock(pollerLock(p.ID)); err != nil {
			return err
		}
		return erasePollers(ctx, tx, "id = ?", p.ID)
	})
}

// erasePollers removes the pollers that meet a condition, with their consumers.
func erasePollers(ctx context.Context, tx *Session, condition, value string) error {
	_, err := tx.Exec(ctx, "DELETE FROM poller_consumer WHERE poller_id IN (SELECT id FROM poller WHERE "+condition+")", value)
	if err == nil {
		_, err = tx.Exec(ctx, "DELETE FROM poller WHERE "+condition, value)
	}
	return err
}

// ListPollers implements [store.Polling].
func (s *Store) ListPollers(ctx context.Context, appID string, page store.Page) (ps store.List[posthorn.Poller], err error) {
	defer s.annotate(&err, "listing pollers of %s", appID)
	return list(ctx, s, s.pollerFields, page, listPollers(appID, page))
}

func listPollers(appID string, page store.Page) *query {
	q := newQuery("SELECT " + pollerColumns + " FROM poller")
	q.where("app_id = ?", appID)
	return q.page("id", page)
}

func (s *Store) findPoller(ctx context.Context, q *Session, appID, ref string) (posthorn.Poller, error) {
	p, err := byRef(posthorn.PollerID, ref, "uid", func(column string) (posthorn.Poller, error) {
		return one(ctx, q, s.pollerFields, "SELECT "+pollerColumns+" FROM poller WHERE app_id = ? AND "+column+" = ?", appID, ref)
	})
	return p, notFound(err, "poller %q", ref)
}

func uniquePoller(err error, p *posthorn.Poller) error {
	if isDuplicate(err) {
		return posthorn.Errorf(posthorn.Conflict, "another poller of the application has the uid %q", p.UID)
	}
	return err
}
