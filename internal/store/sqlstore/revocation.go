package sqlstore

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

const revocationColumns = "org_id, subject, made_before, at, until"

func revocationFields(r *posthorn.Revocation) []any {
	return []any{&r.OrgID, &r.Subject, &r.MadeBefore, moment{&r.At}, moment{&r.Until}}
}

// Revoke implements [store.Revocations].
func (s *Store) Revoke(ctx context.Context, revocations []posthorn.Revocation, now time.Time) (err error) {
	defer s.annotate(&err, "revoking tokens")
	return s.writeLocked(ctx, []string{revocationLock}, func(ctx context.Context, tx *Session) error {
		if _, err := tx.Exec(ctx, "DELETE FROM revocation WHERE until <= ?", moment{&now}); err != nil {
			return err
		}
		for _, r := range revocations {
			if err := revoke(ctx, tx, r, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func revoke(ctx context.Context, tx *Session, r posthorn.Revocation, now time.Time) error {
	// Those that end fewer tokens, and no sooner, add nothing.
	if _, err := tx.Exec(ctx,
		"DELETE FROM revocation WHERE org_id = ? AND subject = ? AND made_before < ? AND at >= ?",
		r.OrgID, r.Subject, r.MadeBefore, moment{&r.At}); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx,
		"INSERT INTO revocation ("+revocationColumns+") VALUES ("+placeholders(revocationColumns)+") ON CONFLICT (org_id, subject, made_before) DO NOTHING",
		revocationFields(&r)...); err != nil {
		return err
	}
	// Nor do those that end fewer tokens than one that holds already.
	_, err := tx.Exec(ctx,
		"DELETE FROM revocation WHERE org_id = ? AND subject = ? AND made_before < "+
			"(SELECT max(made_before) FROM revocation WHERE org_id = ? AND subject = ? AND at <= ?)",
		r.OrgID, r.Subject, r.OrgID, r.Subject, moment{&now})
	return err
}

// RevocationsOf implements [store.Revocations].
func (s *Store) RevocationsOf(ctx context.Context, org string, subjects []string) (rs []posthorn.Revocation, err error) {
	defer s.annotate(&err, "reading revocations of %s", org)
	return many(ctx, s, revocationFields, revocationsOf(org, subjects))
}

func revocationsOf(org string, subjects []string) *query {
	return newQuery("SELECT "+revocationColumns+" FROM revocation WHERE org_id = ? AND subject IN (SELECT value FROM json_each(?))"+
		" ORDER BY subject, made_before", org, jsonOf(&subjects))
}
