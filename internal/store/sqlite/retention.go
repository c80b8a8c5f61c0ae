package sqlite

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// isShortLived reports whether a payload ends before those that were stored earlier and are kept for the default time.
func isShortLived(m *posthorn.Message) bool {
	return !m.ExpiresAt.IsZero() && m.ExpiresAt.Before(m.CreatedAt.Add(posthorn.DefaultRetention))
}

const (
	shortLived     = " FROM short_lived WHERE expires_at <= ? ORDER BY expires_at, message_seq LIMIT ?"
	oldestPayloads = "SELECT p.message_seq, m.expires_at FROM message_payload p CROSS JOIN message m ON m.seq = p.message_seq" +
		" ORDER BY p.message_seq LIMIT ?"
)

// ExpirePayloads implements [store.Retention]. The payloads that are kept for the default time end in the order in which
// they were stored, so looking at the oldest finds them.
func (s *Store) ExpirePayloads(ctx context.Context, now time.Time, limit int) (n int, err error) {
	defer annotate(&err, "removing expired payloads")
	err = s.write(ctx, func(ctx context.Context, tx *statements) error {
		short, err := tx.exec(ctx, "DELETE FROM message_payload WHERE message_seq IN (SELECT message_seq"+shortLived+")", moment{&now}, limit)
		if err != nil {
			return err
		}
		// Those that were expunged meanwhile have an entry too: to have found it counts.
		found, err := tx.exec(ctx, "DELETE FROM short_lived WHERE (expires_at, message_seq) IN (SELECT expires_at, message_seq"+shortLived+")", moment{&now}, limit)
		if err != nil {
			return err
		}
		n = int(max(short, found))
		oldest, err := all(ctx, tx, func(p *agingPayload) []any { return []any{&p.seq, moment{&p.expiresAt}} }, oldestPayloads, limit-n)
		if err != nil {
			return err
		}
		var expired []int64
		for _, p := range oldest {
			if !p.expiresAt.IsZero() && !p.expiresAt.After(now) {
				expired = append(expired, p.seq)
			}
		}
		if len(expired) == 0 {
			return nil
		}
		n += len(expired)
		_, err = tx.exec(ctx, "DELETE FROM message_payload WHERE message_seq IN (SELECT value FROM json_each(?))", jsonOf(&expired))
		return err
	})
	return n, err
}

type agingPayload struct {
	seq       int64
	expiresAt time.Time
}
