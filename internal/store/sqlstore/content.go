package sqlstore

import (
	"context"
	"math"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// Bounds on what is erased in one transaction. Erasing overwrites, so the bytes count as much as the rows.
const (
	eraseRows  = 500
	eraseBytes = 1 << 20
)

// insertPayload stores the payload, in all its versions, of a message that has just been inserted.
func insertPayload(ctx context.Context, tx *Session, m *posthorn.Message) error {
	if m.Payload == nil {
		return nil
	}
	expires := int64(math.MaxInt64)
	if !m.ExpiresAt.IsZero() {
		expires = m.ExpiresAt.UnixMicro()
	}
	key := tx.tx.PayloadKey(m.ID)
	if err := tx.post(ctx, "INSERT INTO message_payload (message_seq, expires_at, payload, warnings) VALUES (?, ?, ?, ?)",
		key, expires, m.Payload, jsonOf(&m.Warnings)); err != nil {
		return err
	}
	return insertVariants(ctx, tx, m, key)
}

// deletePayloads erases all that is kept of the payloads of messages, and returns how many of them had one. Everything
// that removes payloads does so here. A trigger removes their other versions.
func deletePayloads(ctx context.Context, tx *Session, keys ...any) (int, error) {
	erased, err := tx.Exec(ctx, "DELETE FROM message_payload WHERE message_seq IN (SELECT value FROM json_each(?))", jsonOf(&keys))
	return int(erased), err
}

// payloadKey is the column of a payload's key; nil where there is no payload.
type payloadKey struct{ p *any }

func (c payloadKey) Scan(src any) error {
	*c.p = src
	return nil
}

// erasable is a message whose payload is to be erased.
type erasable struct {
	key  any // nil: it has none any more
	id   string
	size int64
}

func erasableFields(e *erasable) []any { return []any{payloadKey{&e.key}, &e.id, &e.size} }

// erase erases the first of many payloads, as many as one transaction may, and returns how many of them that were.
func erase(ctx context.Context, tx *Session, found []erasable) (looked, erased int, err error) {
	var keys []any
	var size int64
	for _, e := range found {
		if size += e.size; size > eraseBytes && looked > 0 {
			break
		}
		looked++
		if e.key != nil {
			keys = append(keys, e.key)
		}
	}
	erased, err = deletePayloads(ctx, tx, keys...)
	return looked, erased, err
}

// ExpirePayloads implements [store.Contents].
func (s *Store) ExpirePayloads(ctx context.Context, now time.Time) (n int, err error) {
	defer s.annotate(&err, "removing expired payloads")
	err = s.writeLocked(ctx, []string{removalLock}, func(ctx context.Context, tx *Session) error {
		q := expiredPayloads(now)
		found, err := all(ctx, tx, erasableFields, q.text.String(), q.args...)
		if err != nil || len(found) == 0 {
			n = 0
			return err
		}
		_, n, err = erase(ctx, tx, found)
		return err
	})
	return n, err
}

func expiredPayloads(now time.Time) *query {
	return newQuery("SELECT message_seq, '', length(payload) FROM message_payload WHERE expires_at <= ? ORDER BY expires_at LIMIT ?",
		now.UnixMicro(), eraseRows)
}

// PurgePayloads implements [store.Contents].
func (s *Store) PurgePayloads(ctx context.Context, appID, after, before string) (p store.Purged, err error) {
	defer s.annotate(&err, "removing the payloads of %s", appID)
	err = s.writeLocked(ctx, []string{removalLock}, func(ctx context.Context, tx *Session) error {
		p = store.Purged{Done: true}
		q := purgeablePayloads(appID, after, before)
		found, err := all(ctx, tx, erasableFields, q.text.String(), q.args...)
		if err != nil || len(found) == 0 {
			return err
		}
		looked, erased, err := erase(ctx, tx, found)
		p = store.Purged{Payloads: erased, Last: found[looked-1].id, Done: looked == len(found) && len(found) < eraseRows}
		return err
	})
	return p, err
}

func purgeablePayloads(appID, after, before string) *query {
	return newQuery("SELECT p.message_seq, m.id, coalesce(length(p.payload), 0) FROM message m"+joinPayload+
		" WHERE m.app_id = ? AND m.id > ? AND m.id < ? ORDER BY m.id LIMIT ?", appID, after, before, eraseRows)
}

// ExpungeAttempt implements [store.Contents].
func (s *Store) ExpungeAttempt(ctx context.Context, messageID, attemptID string) (err error) {
	defer s.annotate(&err, "expunging attempt %s", attemptID)
	return s.writeLocked(ctx, []string{messageLock(messageID)}, func(ctx context.Context, tx *Session) error {
		changed, err := tx.Exec(ctx,
			"UPDATE attempt SET body = ?, header = NULL, sent = NULL, truncated = FALSE WHERE message_id = ? AND id = ?",
			[]byte(posthorn.ExpungedBody), messageID, attemptID)
		if err == nil && changed == 0 {
			return posthorn.Errorf(posthorn.NotFound, "there is no attempt %q", attemptID)
		}
		return err
	})
}
