package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/posthorn/posthorn"
)

const healthColumns = "endpoint_id, app_id, failures, failing_since, opened_at, next_probe_at, probing, probed, warned_at"

func healthFields(h *posthorn.Health) []any {
	return []any{
		&h.EndpointID, &h.AppID, &h.Failures, moment{&h.FailingSince}, moment{&h.OpenedAt}, moment{&h.NextProbeAt},
		&h.Probing, text{&h.Probed}, moment{&h.WarnedAt},
	}
}

// Health implements [store.Healths].
func (s *Store) Health(ctx context.Context, endpointID string) (h posthorn.Health, err error) {
	defer s.annotate(&err, "reading the health of endpoint %s", endpointID)
	return read(s, func(q *Session) (posthorn.Health, error) { return findHealth(ctx, q, endpointID) })
}

func findHealth(ctx context.Context, q *Session, endpointID string) (posthorn.Health, error) {
	h, err := one(ctx, q, healthFields, "SELECT "+healthColumns+" FROM endpoint_health WHERE endpoint_id = ?", endpointID)
	if errors.Is(err, sql.ErrNoRows) {
		return posthorn.Health{}, nil
	}
	return h, err
}

// OpenCircuits implements [store.Healths].
func (s *Store) OpenCircuits(ctx context.Context) (hs []posthorn.Health, err error) {
	defer s.annotate(&err, "listing open circuits")
	return many(ctx, s, healthFields, openCircuits())
}

func openCircuits() *query {
	return newQuery("SELECT " + healthColumns + " FROM endpoint_health WHERE opened_at > 0")
}

// TakeProbe implements [store.Healths].
func (s *Store) TakeProbe(ctx context.Context, endpointID string, now, until time.Time) (d posthorn.Delivery, err error) {
	defer s.annotate(&err, "choosing a probe for endpoint %s", endpointID)
	err = s.writeLocked(ctx, []string{endpointLock(endpointID)}, func(ctx context.Context, tx *Session) error {
		h, err := findHealth(ctx, tx, endpointID)
		if err != nil {
			return err
		}
		if !h.Open() || h.NextProbeAt.After(now) {
			return posthorn.Errorf(posthorn.Conflict, "no probe of endpoint %q is due", endpointID)
		}
		for _, after := range []string{h.Probed, ""} {
			if d, err = one(ctx, tx, deliveryFields, nextProbe, endpointID, posthorn.WaitCircuit, after); !errors.Is(err, sql.ErrNoRows) {
				break
			}
		}
		if err != nil {
			return notFound(err, "delivery that waits for the circuit of endpoint %q", endpointID)
		}
		_, err = tx.Exec(ctx, "UPDATE endpoint_health SET next_probe_at = ?, probing = TRUE, probed = ? WHERE endpoint_id = ?",
			moment{&until}, d.MessageID, endpointID)
		return err
	})
	return d, err
}

const nextProbe = "SELECT " + deliveryColumns + " FROM delivery WHERE endpoint_id = ? AND waits = ? AND message_id > ? AND " + IsOpen +
	" ORDER BY message_id LIMIT 1"

// OnHealthChange implements [store.Healths]. f is called before the method that made the change returns.
func (s *Store) OnHealthChange(f func(posthorn.HealthChange)) { s.onHealth = append(s.onHealth, f) }

// failing are the endpoints that may have a row in endpoint_health: all that have one, and for a moment some more. It spares
// successes the look-up. Only the writer uses it, and only if it is the only one.
type failing map[string]struct{}

func (s *Store) loadFailing(ctx context.Context) error {
	if s.dialect.Shared {
		return nil
	}
	known, err := all(ctx, s.pool, func(id *string) []any { return []any{id} }, "SELECT endpoint_id FROM endpoint_health")
	s.failing = make(failing, len(known))
	for _, id := range known {
		s.failing[id] = struct{}{}
	}
	return err
}

// loadFailing asks which of the endpoints of attempts have failed, and locks those.
func (r *recording) loadFailing(attempts []posthorn.Attempt) error {
	endpoints := make([]string, len(attempts))
	for i := range attempts {
		endpoints[i] = attempts[i].EndpointID
	}
	r.failing = failing{}
	if len(endpoints) == 0 {
		return nil
	}
	known, err := all(r.ctx, r.tx, func(id *string) []any { return []any{id} },
		"SELECT endpoint_id FROM endpoint_health WHERE endpoint_id IN (SELECT value FROM json_each(?))", jsonOf(&endpoints))
	if err != nil {
		return err
	}
	for _, id := range known {
		if err := r.tx.lockNow(r.ctx, endpointLock(id)); err != nil {
			return err
		}
		r.failing[id] = struct{}{}
	}
	return nil
}

// forgetHealth removes the row of an endpoint, which need not have one.
func (s *Store) forgetHealth(ctx context.Context, tx *Session, endpointID string) error {
	if _, err := tx.Exec(ctx, "DELETE FROM endpoint_health WHERE endpoint_id = ?", endpointID); err != nil {
		return err
	}
	if !s.dialect.Shared {
		tx.onCommit(func() { delete(s.failing, endpointID) })
	}
	return nil
}

// startAfresh forgets that an endpoint has failed, and has it looked after if its circuit was open. It returns what changed.
func (s *Store) startAfresh(ctx context.Context, tx *Session, ep *posthorn.Endpoint) ([]posthorn.HealthChange, error) {
	h, err := findHealth(ctx, tx, ep.ID)
	if err != nil || h.FailingSince.IsZero() {
		return nil, err
	}
	if err := s.forgetHealth(ctx, tx, ep.ID); err != nil || !h.Open() {
		return nil, err
	}
	closed := posthorn.HealthChange{Event: posthorn.CircuitClosed, EndpointID: ep.ID, AppID: ep.AppID, FailingSince: h.FailingSince}
	return []posthorn.HealthChange{closed}, attend(ctx, tx, posthorn.Attention{EndpointID: ep.ID, AppID: ep.AppID})
}

// health moves an endpoint's health on by an attempt. First says that it is the first scheduled one of its delivery.
func (r *recording) health(a *posthorn.Attempt, first bool) error {
	_, known := r.failing[a.EndpointID]
	if a.Success && !known {
		return nil
	}
	if err := r.tx.lockNow(r.ctx, endpointLock(a.EndpointID)); err != nil {
		return err
	}
	var before posthorn.Health
	if known {
		var err error
		if before, err = findHealth(r.ctx, r.tx, a.EndpointID); err != nil {
			return err
		}
	}
	after, events := before.After(a, first, r.rules)
	if after != before {
		if err := r.saveHealth(a.EndpointID, &before, &after); err != nil {
			return err
		}
	}
	told := before
	if !a.Success {
		told = after
	}
	for _, event := range events {
		if err := r.transition(event, a, &told); err != nil {
			return err
		}
	}
	return nil
}

// saveHealth leaves out endpoints that were deleted while something was under way to them.
func (r *recording) saveHealth(endpointID string, before, after *posthorn.Health) error {
	if after.FailingSince.IsZero() {
		return r.store.forgetHealth(r.ctx, r.tx, endpointID)
	}
	r.failing[endpointID] = struct{}{}
	fields := healthFields(after)
	if before.FailingSince.IsZero() {
		_, err := r.tx.Exec(r.ctx, "INSERT INTO endpoint_health ("+healthColumns+") SELECT "+placeholders(healthColumns)+
			" WHERE EXISTS (SELECT 1 FROM endpoint WHERE id = ? AND deleted_at IS NULL)", append(fields, endpointID)...)
		return err
	}
	_, err := r.tx.Exec(r.ctx, "UPDATE endpoint_health SET failures = ?, failing_since = ?, opened_at = ?, next_probe_at = ?, probing = ?,"+
		" probed = ?, warned_at = ? WHERE endpoint_id = ?", append(fields[2:], endpointID)...)
	return err
}

// transition does what follows from a change of health, all of it in the transaction of the attempt.
func (r *recording) transition(event posthorn.HealthEvent, a *posthorn.Attempt, h *posthorn.Health) error {
	change := posthorn.HealthChange{
		Event: event, EndpointID: a.EndpointID, AppID: a.AppID, FailingSince: h.FailingSince, DisablesAt: r.rules.DisablesAt(h),
	}
	switch event {
	case posthorn.CircuitOpened, posthorn.CircuitClosed:
		attention := posthorn.Attention{EndpointID: a.EndpointID, AppID: a.AppID}
		if err := attend(r.ctx, r.tx, attention); err != nil {
			return err
		}
		r.after.attention = append(r.after.attention, attention)
	case posthorn.DisablingSoon, posthorn.EndpointDisabled:
		ep, err := r.store.findEndpoint(r.ctx, r.tx, a.AppID, a.EndpointID)
		switch {
		case posthorn.CodeOf(err) == posthorn.NotFound, ep.Disabled: // somebody was quicker
			return nil
		case err != nil:
			return err
		case event == posthorn.DisablingSoon:
			err = r.warn(&ep, &change)
		default:
			change.Reason = h.DisabledBecause(a)
			err = r.disable(&ep, &change)
		}
		if err != nil {
			return err
		}
	}
	r.after.changes = append(r.after.changes, change)
	return nil
}

// warn tells that an endpoint will be disabled.
func (r *recording) warn(ep *posthorn.Endpoint, c *posthorn.HealthChange) error {
	app, to, err := r.store.affected(r.ctx, r.tx, ep.AppID)
	if err != nil || len(to.endpoints) == 0 {
		return err
	}
	return r.store.tell(r.ctx, r.tx, &to, posthorn.DisablingNotice(&app, ep, c.FailingSince, c.DisablesAt))
}

// disable disables an endpoint and tells of it.
func (r *recording) disable(ep *posthorn.Endpoint, c *posthorn.HealthChange) error {
	if err := r.tx.lockNow(r.ctx, applicationLock(ep.AppID)); err != nil {
		return err
	}
	before := *ep
	ep.SetDisabled(true, c.Reason)
	ep.UpdatedAt = r.now
	_, err := r.tx.Exec(r.ctx, "UPDATE endpoint SET disabled = ?, disabled_reason = ?, updated_at = ? WHERE id = ?",
		ep.Disabled, ep.DisabledReason, moment{&ep.UpdatedAt}, ep.ID)
	if err != nil {
		return err
	}
	if err := r.tx.tx.Routed(r.ctx, ep.AppID, true); err != nil {
		return err
	}
	attention := posthorn.Attention{EndpointID: ep.ID, AppID: ep.AppID}
	if err := attend(r.ctx, r.tx, attention); err != nil {
		return err
	}
	r.after.attention = append(r.after.attention, attention)
	return r.store.tellEndpoint(r.ctx, r.tx, &before, ep, c.FailingSince)
}

// effects are what others hear of once a Record is committed.
type effects struct {
	attention []posthorn.Attention
	changes   []posthorn.HealthChange
}

func (s *Store) passOn(e effects) {
	for _, c := range e.changes {
		if c.Event == posthorn.EndpointDisabled {
			s.routesChanged(c.AppID, c.EndpointID)
		}
		for _, f := range s.onHealth {
			f(c)
		}
	}
	for _, a := range e.attention {
		s.attentionNeeded(a.AppID, a.EndpointID)
	}
}
