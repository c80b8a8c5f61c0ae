package sqlstore

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/fair"
	"github.com/posthorn/posthorn/internal/store"
)

const claimColumns = "id, fingerprint, owner, created_at, expires_at, messages, answer"

func claimFields(c *store.Claim) []any {
	return []any{
		&c.ID, &c.Fingerprint, text{&c.Owner}, moment{&c.CreatedAt}, moment{&c.ExpiresAt}, jsonOf(&c.Messages), &c.Answer,
	}
}

// Claim implements [store.Claims].
func (s *Store) Claim(ctx context.Context, id []byte, now time.Time) (c store.Claim, err error) {
	defer s.annotate(&err, "reading claim %x", id)
	return read(s, func(q *Session) (store.Claim, error) {
		c, err := one(ctx, q, claimFields, "SELECT "+claimColumns+" FROM claim WHERE id = ? AND expires_at > ?", id, moment{&now})
		return c, notFound(err, "claim %x", id)
	})
}

// CreateClaim implements [store.Claims].
func (s *Store) CreateClaim(ctx context.Context, c store.Claim) (err error) {
	defer s.annotate(&err, "creating claim %x", c.ID)
	return s.writeLocked(ctx, []string{claimLock(c.ID)}, func(ctx context.Context, tx *Session) error { return insertClaim(ctx, tx, &c) })
}

// insertClaim looks for an expired claim only where the insert fails, because hardly any key is used twice.
func insertClaim(ctx context.Context, tx *Session, c *store.Claim) error {
	insert := func() (bool, error) {
		return tx.insert(ctx, "INSERT INTO claim ("+claimColumns+") VALUES ("+placeholders(claimColumns)+")", claimFields(c)...)
	}
	inserted, err := insert()
	if err != nil || inserted {
		return err
	}
	removed, err := tx.Exec(ctx, "DELETE FROM claim WHERE id = ? AND expires_at <= ?", c.ID, moment{&c.CreatedAt})
	if err != nil {
		return err
	}
	if removed == 0 {
		return posthorn.Errorf(posthorn.Conflict, "there is a claim %x", c.ID)
	}
	return orDuplicate(insert())
}

// AnswerClaim implements [store.Claims].
func (s *Store) AnswerClaim(ctx context.Context, c store.Claim) (err error) {
	defer s.annotate(&err, "answering claim %x", c.ID)
	return s.writeLocked(ctx, []string{claimLock(c.ID)}, func(ctx context.Context, tx *Session) error {
		changed, err := tx.Exec(ctx, "UPDATE claim SET owner = NULL, answer = ?, expires_at = ? WHERE id = ? AND owner = ?",
			c.Answer, moment{&c.ExpiresAt}, c.ID, c.Owner)
		if err == nil && changed == 0 {
			return posthorn.Errorf(posthorn.NotFound, "claim %x has another owner", c.ID)
		}
		return err
	})
}

// DropClaim implements [store.Claims].
func (s *Store) DropClaim(ctx context.Context, c store.Claim) (err error) {
	defer s.annotate(&err, "dropping claim %x", c.ID)
	return s.writeLocked(ctx, []string{claimLock(c.ID)}, func(ctx context.Context, tx *Session) error {
		_, err := tx.Exec(ctx, "DELETE FROM claim WHERE id = ? AND owner = ?", c.ID, c.Owner)
		return err
	})
}

// DropOpenClaims removes the claims of requests that a crash ended. It is for the start of a process that has the
// database to itself; where several share it, open claims end with time.
func (s *Store) DropOpenClaims(ctx context.Context) (err error) {
	defer s.annotate(&err, "dropping claims left open")
	return s.write(ctx, func(ctx context.Context, tx *Session) error {
		_, err := tx.Exec(ctx, "DELETE FROM claim WHERE owner IS NOT NULL")
		return err
	})
}

const expiredClaims = "SELECT id FROM claim WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"

// DeleteExpiredClaims implements [store.Claims].
func (s *Store) DeleteExpiredClaims(ctx context.Context, now time.Time, limit int) (n int, err error) {
	defer s.annotate(&err, "deleting expired claims")
	err = s.writeLocked(ctx, []string{removalLock}, func(ctx context.Context, tx *Session) error {
		removed, err := tx.Exec(ctx, "DELETE FROM claim WHERE id IN ("+expiredClaims+")", moment{&now}, limit)
		n = int(removed)
		return err
	})
	return n, err
}

// bulkFrom is how many messages make a write a large one. There is never more than one of them in a commit, because all who
// write wait for the whole of it; and applications take turns with them.
const bulkFrom = 50

// CreateMessages implements [store.Claims].
func (s *Store) CreateMessages(ctx context.Context, ms []posthorn.Message, c *store.Claim) (refusals []error, err error) {
	defer s.annotate(&err, "creating %d messages", len(ms))
	if len(ms) > bulkFrom {
		leave, err := s.bulk.Enter(ctx, ms[0].AppID, fair.Beginning)
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	var locks []string
	if c != nil {
		locks = append(locks, claimLock(c.ID))
	}
	err = s.writeLocked(ctx, append(locks, eventLocks(ms...)...), func(ctx context.Context, tx *Session) error {
		refusals = make([]error, len(ms))
		made := make([]string, len(ms))
		stored := false
		for i := range ms {
			if ms[i].ID == "" {
				continue
			}
			err := insertUndispatched(ctx, tx, &ms[i])
			switch posthorn.CodeOf(err) {
			case "":
				made[i], stored = ms[i].ID, true
			case posthorn.Conflict:
				refusals[i] = err
			default:
				return err
			}
		}
		if c == nil || !stored {
			return nil
		}
		settled := *c
		settled.Owner, settled.Messages = "", made
		return insertClaim(ctx, tx, &settled)
	})
	if err != nil {
		return nil, err
	}
	return refusals, nil
}
