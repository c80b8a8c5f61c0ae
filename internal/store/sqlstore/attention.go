package sqlstore

import (
	"context"

	"github.com/posthorn/posthorn"
)

const attentionColumns = "endpoint_id, app_id, version, release, retime"

func attentionFields(a *posthorn.Attention) []any {
	return []any{&a.EndpointID, &a.AppID, &a.Version, jsonOf(&a.Release), &a.Retime}
}

// Attend implements [store.Waiting].
func (s *Store) Attend(ctx context.Context, a posthorn.Attention) (err error) {
	defer s.annotate(&err, "noting that endpoint %s needs attention", a.EndpointID)
	err = s.write(ctx, func(ctx context.Context, tx *Session) error { return attend(ctx, tx, a) })
	if err == nil {
		s.attentionNeeded(a.AppID, a.EndpointID)
	}
	return err
}

// OnAttention implements [store.Waiting].
func (s *Store) OnAttention(f func(appID, endpointID string)) { s.attentive = append(s.attentive, f) }

func (s *Store) attentionNeeded(appID, endpointID string) {
	for _, f := range s.attentive {
		f(appID, endpointID)
	}
}

// attend notes a further reason. How held deliveries are let go is changed only by someone who says how.
func attend(ctx context.Context, tx *Session, a posthorn.Attention) error {
	if err := tx.lockNow(ctx, endpointLock(a.EndpointID)); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO attention ("+attentionColumns+") VALUES (?, ?, 1, ?, ?) ON CONFLICT (endpoint_id) DO UPDATE"+
		" SET version = attention.version + 1, release = coalesce(excluded.release, attention.release), retime = coalesce(excluded.retime, attention.retime)",
		a.EndpointID, a.AppID, jsonOf(&a.Release), a.Retime)
	return err
}

// attendAll notes that all endpoints which a condition names need attention, and counts them.
func attendAll(ctx context.Context, tx *Session, condition string, args ...any) (int64, error) {
	return tx.Exec(ctx, "INSERT INTO attention ("+attentionColumns+") SELECT id, app_id, 1, NULL, NULL FROM endpoint WHERE "+condition+
		" ON CONFLICT (endpoint_id) DO UPDATE SET version = attention.version + 1", args...)
}

// attendWaiting has an endpoint looked after for which a delivery waits, where nobody would come by otherwise: it was let go
// meanwhile, needs something to be probed with, or whoever was before the delivery in order dies before saying so. It
// reports whether somebody should hear of that now.
func attendWaiting(ctx context.Context, tx *Session, d *posthorn.Delivery) (bool, error) {
	if d.Waits == posthorn.WaitNothing {
		return false, nil
	}
	if err := tx.lockNow(ctx, endpointLock(d.EndpointID)); err != nil {
		return false, err
	}
	switch d.Waits {
	case posthorn.WaitPaused, posthorn.WaitDisabled:
		n, err := attendAll(ctx, tx, "id = ? AND (deleted_at IS NOT NULL OR (NOT disabled AND paused_at IS NULL))", d.EndpointID)
		return n > 0, err
	case posthorn.WaitCircuit:
		n, err := tx.Exec(ctx, "UPDATE attention SET version = version + 1 WHERE endpoint_id = ?", d.EndpointID)
		if err != nil || n > 0 {
			return false, err
		}
		return true, attend(ctx, tx, posthorn.Attention{EndpointID: d.EndpointID, AppID: d.AppID})
	case posthorn.WaitOrder:
		return false, attend(ctx, tx, posthorn.Attention{EndpointID: d.EndpointID, AppID: d.AppID})
	default:
		return false, nil
	}
}

// callsForAttention reports whether a change of an endpoint does.
func callsForAttention(before, after *posthorn.Endpoint) bool {
	return unblocks(before, after) || unblocks(after, before) || !sameSchedule(before.RetrySchedule, after.RetrySchedule) ||
		after.CancelBefore.After(before.CancelBefore) ||
		before.ThrottleRate != after.ThrottleRate || before.MaxInFlight != after.MaxInFlight
}

// unblocks reports whether an endpoint takes messages again after a change.
func unblocks(before, after *posthorn.Endpoint) bool {
	was, _ := before.Blocked()
	is, _ := after.Blocked()
	return was != posthorn.WaitNothing && is == posthorn.WaitNothing
}

// Attention implements [store.Waiting].
func (s *Store) Attention(ctx context.Context, after string, limit int) (as []posthorn.Attention, err error) {
	defer s.annotate(&err, "listing endpoints that need attention")
	return many(ctx, s, attentionFields, attentionAfter(after, limit))
}

func attentionAfter(after string, limit int) *query {
	return newQuery("SELECT "+attentionColumns+" FROM attention WHERE endpoint_id > ? ORDER BY endpoint_id LIMIT ?", after, limit)
}

// AttentionFor implements [store.Waiting].
func (s *Store) AttentionFor(ctx context.Context, endpointID string) (a posthorn.Attention, err error) {
	defer s.annotate(&err, "reading what endpoint %s needs", endpointID)
	return read(s, func(q *Session) (posthorn.Attention, error) {
		a, err := one(ctx, q, attentionFields, "SELECT "+attentionColumns+" FROM attention WHERE endpoint_id = ?", endpointID)
		return a, notFound(err, "attention for endpoint %q", endpointID)
	})
}

// Released implements [store.Waiting].
func (s *Store) Released(ctx context.Context, a posthorn.Attention) (err error) {
	defer s.annotate(&err, "noting that what was held for endpoint %s is let go", a.EndpointID)
	return s.write(ctx, func(ctx context.Context, tx *Session) error {
		_, err := tx.Exec(ctx, "UPDATE attention SET release = NULL WHERE endpoint_id = ? AND version = ?", a.EndpointID, a.Version)
		return err
	})
}

// Attended implements [store.Waiting].
func (s *Store) Attended(ctx context.Context, a posthorn.Attention) (removed bool, err error) {
	defer s.annotate(&err, "noting that endpoint %s needs no more attention", a.EndpointID)
	err = s.write(ctx, func(ctx context.Context, tx *Session) error {
		n, err := tx.Exec(ctx, "DELETE FROM attention WHERE endpoint_id = ? AND version = ?", a.EndpointID, a.Version)
		removed = n > 0
		return err
	})
	return removed, err
}
