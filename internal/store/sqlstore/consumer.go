package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const consumerColumns = "poller_id, name, message_id, after, epoch"

func consumerFields(c *store.Consumer) []any {
	return []any{&c.PollerID, &c.Name, text{&c.Position.MessageID}, moment{&c.Position.After}, &c.Epoch}
}

// Consumer implements [store.Polling].
func (s *Store) Consumer(ctx context.Context, pollerID, name string) (c store.Consumer, err error) {
	defer s.annotate(&err, "reading consumer %s of poller %s", name, pollerID)
	return read(s, func(q *Session) (store.Consumer, error) {
		c, _, err := findConsumer(ctx, q, pollerID, name)
		return c, err
	})
}

// Acknowledge implements [store.Polling].
func (s *Store) Acknowledge(ctx context.Context, to store.Consumer) (c store.Consumer, err error) {
	defer s.annotate(&err, "moving consumer %s of poller %s", to.Name, to.PollerID)
	return s.moveConsumer(ctx, to.PollerID, to.Name, func(ctx context.Context, tx *Session, c *store.Consumer) (bool, error) {
		if c.Epoch != to.Epoch {
			return false, nil
		}
		ahead, err := isAhead(ctx, tx, to.PollerID, c.Position, to.Position)
		if ahead {
			c.Position = to.Position
		}
		return ahead, err
	})
}

// isAhead reports whether the second of two positions in a poller's application lies behind the first.
func isAhead(ctx context.Context, tx *Session, pollerID string, first, second store.Position) (bool, error) {
	var appID string
	if err := tx.row(ctx, []any{&appID}, "SELECT app_id FROM poller WHERE id = ?", pollerID); err != nil {
		return false, err
	}
	before, err := place(ctx, tx, appID, first)
	if err != nil {
		return false, err
	}
	behind, err := place(ctx, tx, appID, second)
	return behind > before, err
}

// Seek implements [store.Polling].
func (s *Store) Seek(ctx context.Context, pollerID, name string, to store.Position) (c store.Consumer, err error) {
	defer s.annotate(&err, "seeking with consumer %s of poller %s", name, pollerID)
	return s.moveConsumer(ctx, pollerID, name, func(_ context.Context, _ *Session, c *store.Consumer) (bool, error) {
		c.Position = to
		c.Epoch++
		return true, nil
	})
}

// moveConsumer reads a consumer, lets move change it, and saves it if move says so.
func (s *Store) moveConsumer(
	ctx context.Context, pollerID, name string, move func(context.Context, *Session, *store.Consumer) (bool, error),
) (c store.Consumer, err error) {
	err = s.writeLocked(ctx, []string{pollerLock(pollerID)}, func(ctx context.Context, tx *Session) (err error) {
		var known, moved bool
		if c, known, err = findConsumer(ctx, tx, pollerID, name); err != nil {
			return err
		}
		if moved, err = move(ctx, tx, &c); err != nil || !moved {
			return err
		}
		if known {
			_, err = tx.Exec(ctx, "UPDATE poller_consumer SET ("+consumerColumns+") = ("+placeholders(consumerColumns)+") WHERE poller_id = ? AND name = ?",
				append(consumerFields(&c), pollerID, name)...)
			return err
		}
		var others int
		if err := tx.row(ctx, []any{&others}, "SELECT count(*) FROM poller_consumer WHERE poller_id = ?", pollerID); err != nil {
			return err
		}
		if others >= posthorn.MaxConsumers {
			return posthorn.Errorf(posthorn.LimitReached, "a poller can have %d consumers", posthorn.MaxConsumers)
		}
		_, err = tx.Exec(ctx, "INSERT INTO poller_consumer ("+consumerColumns+") VALUES ("+placeholders(consumerColumns)+")", consumerFields(&c)...)
		return err
	})
	if err != nil {
		return store.Consumer{}, err
	}
	return c, nil
}

// findConsumer also finds consumers that are not known yet.
func findConsumer(ctx context.Context, q *Session, pollerID, name string) (c store.Consumer, known bool, err error) {
	c, err = one(ctx, q, consumerFields,
		"SELECT "+consumerColumns+" FROM poller_consumer WHERE poller_id = ? AND name = ?", pollerID, name)
	if !errors.Is(err, sql.ErrNoRows) {
		return c, true, err
	}
	c = store.Consumer{PollerID: pollerID, Name: name}
	err = q.row(ctx, []any{text{&c.Position.MessageID}}, "SELECT start FROM poller WHERE id = ?", pollerID)
	return c, false, notFound(err, "poller %q", pollerID)
}
