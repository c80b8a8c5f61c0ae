package sqlite

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
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
	defer annotate(&err, "reading claim %x", id)
	return read(s, func(q *statements) (store.Claim, error) {
		c, err := one(ctx, q, claimFields, "SELECT "+claimColumns+" FROM claim WHERE id = ? AND expires_at > ?", id, moment{&now})
		return c, notFound(err, "claim %x", id)
	})
}

// CreateClaim implements [store.Claims].
func (s *Store) CreateClaim(ctx context.Context, c store.Claim) (err error) {
	defer annotate(&err, "creating claim %x", c.ID)
	return s.write(ctx, func(ctx context.Context, tx *statements) error { return insertClaim(ctx, tx, &c) })
}

// insertClaim looks for an expired claim only where the insert fails, because hardly any key is used twice.
func insertClaim(ctx context.Context, tx *statements, c *store.Claim) error {
	insert := func() error {
		_, err := tx.exec(ctx, "INSERT INTO claim ("+claimColumns+") VALUES ("+placeholders(claimColumns)+")", claimFields(c)...)
		return err
	}
	err := insert()
	if !isDuplicate(err) {
		return err
	}
	removed, err := tx.exec(ctx, "DELETE FROM claim WHERE id = ? AND expires_at <= ?", c.ID, moment{&c.CreatedAt})
	if err != nil {
		return err
	}
	if removed == 0 {
		return posthorn.Errorf(posthorn.Conflict, "there is a claim %x", c.ID)
	}
	return insert()
}

// AnswerClaim implements [store.Claims].
func (s *Store) AnswerClaim(ctx context.Context, c store.Claim) (err error) {
	defer annotate(&err, "answering claim %x", c.ID)
	return s.write(ctx, func(ctx context.Context, tx *statements) error {
		changed, err := tx.exec(ctx, "UPDATE claim SET owner = NULL, answer = ?, expires_at = ? WHERE id = ? AND owner = ?",
			c.Answer, moment{&c.ExpiresAt}, c.ID, c.Owner)
		if err == nil && changed == 0 {
			return posthorn.Errorf(posthorn.NotFound, "claim %x has another owner", c.ID)
		}
		return err
	})
}

// DropClaim implements [store.Claims].
func (s *Store) DropClaim(ctx context.Context, c store.Claim) (err error) {
	defer annotate(&err, "dropping claim %x", c.ID)
	return s.write(ctx, func(ctx context.Context, tx *statements) error {
		_, err := tx.exec(ctx, "DELETE FROM claim WHERE id = ? AND owner = ?", c.ID, c.Owner)
		return err
	})
}

// DropOpenClaims removes the claims of requests that a crash ended. It is for the start of a process that has the
// database to itself; where several share it, open claims end with time.
func (s *Store) DropOpenClaims(ctx context.Context) (err error) {
	defer annotate(&err, "dropping claims left open")
	return s.write(ctx, func(ctx context.Context, tx *statements) error {
		_, err := tx.exec(ctx, "DELETE FROM claim WHERE owner IS NOT NULL")
		return err
	})
}

const expiredClaims = "SELECT id FROM claim WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"

// DeleteExpiredClaims implements [store.Claims].
func (s *Store) DeleteExpiredClaims(ctx context.Context, now time.Time, limit int) (n int, err error) {
	defer annotate(&err, "deleting expired claims")
	err = s.write(ctx, func(ctx context.Context, tx *statements) error {
		removed, err := tx.exec(ctx, "DELETE FROM claim WHERE id IN ("+expiredClaims+")", moment{&now}, limit)
		n = int(removed)
		return err
	})
	return n, err
}

// CreateMessages implements [store.Claims].
func (s *Store) CreateMessages(ctx context.Context, ms []posthorn.Message, c *store.Claim) (refusals []error, err error) {
	defer annotate(&err, "creating %d messages", len(ms))
	err = s.write(ctx, func(ctx context.Context, tx *statements) error {
		refusals = make([]error, len(ms))
		made := make([]string, len(ms))
		stored := false
		for i := range ms {
			if ms[i].ID == "" {
				continue
			}
			err := insertMessage(ctx, tx, &ms[i])
			switch posthorn.CodeOf(err) {
			case "":
				made[i], stored = ms[i].ID, true
				if _, err := tx.exec(ctx, "INSERT INTO undispatched (message_id) VALUES (?)", ms[i].ID); err != nil {
					return err
				}
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
