package sqlstore

import (
	"context"
	"slices"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const eventTypeColumns = "org_id, name, description, group_name, archived, deprecated, feature_flags, schemas, validation, " +
	"created_at, updated_at, retry_schedule"

func eventTypeFields(t *posthorn.EventType) []any {
	return []any{
		&t.OrgID, &t.Name, &t.Description, text{&t.GroupName}, &t.Archived, &t.Deprecated, jsonOf(&t.FeatureFlags),
		jsonOf(&t.Schemas), text{(*string)(&t.Validation)}, moment{&t.CreatedAt}, moment{&t.UpdatedAt},
		schedule{&t.RetrySchedule},
	}
}

// CreateEventType implements [store.EventTypes].
func (s *Store) CreateEventType(ctx context.Context, et posthorn.EventType) (err error) {
	defer s.annotate(&err, "creating event type %s", et.Name)
	var concerned []posthorn.Attention
	err = s.write(ctx, func(ctx context.Context, tx *Session) error {
		if err := tx.lock(catalogueLock(et.OrgID)); err != nil {
			return err
		}
		before, err := scheduleBefore(ctx, tx, et.OrgID, et.Name)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM event_type WHERE org_id = ? AND name = ? AND archived", et.OrgID, et.Name); err != nil {
			return err
		}
		err = insertEventType(ctx, tx, &et)
		if isDuplicate(err) {
			return posthorn.Errorf(posthorn.Conflict, "there is an event type %q already", et.Name)
		}
		if err != nil {
			return err
		}
		concerned, err = attendChange(ctx, tx, &et, before, et.RetrySchedule)
		return err
	})
	if err != nil {
		return err
	}
	s.eventTypeChanged(et.OrgID, et.Name, concerned)
	return nil
}

func insertEventType(ctx context.Context, tx *Session, et *posthorn.EventType) error {
	inserted, err := tx.insert(ctx,
		"INSERT INTO event_type ("+eventTypeColumns+") VALUES ("+placeholders(eventTypeColumns)+")", eventTypeFields(et)...)
	return orDuplicate(inserted, err)
}

func saveEventType(ctx context.Context, tx *Session, et *posthorn.EventType) error {
	_, err := tx.Exec(ctx,
		"UPDATE event_type SET ("+eventTypeColumns+") = ("+placeholders(eventTypeColumns)+") WHERE org_id = ? AND name = ?",
		append(eventTypeFields(et), et.OrgID, et.Name)...)
	return err
}

// EventType implements [store.EventTypes].
func (s *Store) EventType(ctx context.Context, org, name string) (et posthorn.EventType, err error) {
	defer s.annotate(&err, "reading event type %s", name)
	return read(s, func(q *Session) (posthorn.EventType, error) { return findEventType(ctx, q, org, name) })
}

// UpdateEventType implements [store.EventTypes]. The organisation, the name and the time of creation don't change.
func (s *Store) UpdateEventType(
	ctx context.Context, org, name string, change func(*posthorn.EventType) error,
) (et posthorn.EventType, err error) {
	defer s.annotate(&err, "updating event type %s", name)
	var before posthorn.EventType
	var concerned []posthorn.Attention
	et, err = update(ctx, s,
		func(ctx context.Context, tx *Session) (posthorn.EventType, error) {
			return findEventType(ctx, tx, org, name)
		},
		func(*posthorn.EventType) string { return catalogueLock(org) },
		func(et *posthorn.EventType) error {
			before = *et
			err := change(et)
			et.OrgID, et.Name, et.CreatedAt = org, name, before.CreatedAt
			return err
		},
		func(ctx context.Context, tx *Session, et *posthorn.EventType) (err error) {
			if err := saveEventType(ctx, tx, et); err != nil {
				return err
			}
			concerned, err = attendChange(ctx, tx, et, before.RetrySchedule, et.RetrySchedule)
			return err
		})
	if err != nil {
		return posthorn.EventType{}, err
	}
	s.eventTypeChanged(org, name, concerned)
	return et, nil
}

// DeleteEventType implements [store.EventTypes].
func (s *Store) DeleteEventType(ctx context.Context, org, name string) (err error) {
	defer s.annotate(&err, "deleting event type %s", name)
	var concerned []posthorn.Attention
	err = s.write(ctx, func(ctx context.Context, tx *Session) error {
		if err := tx.lock(catalogueLock(org)); err != nil {
			return err
		}
		et, err := findEventType(ctx, tx, org, name)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM event_type WHERE org_id = ? AND name = ?", org, name); err != nil {
			return err
		}
		concerned, err = attendChange(ctx, tx, &et, et.RetrySchedule, nil)
		return err
	})
	if err != nil {
		return err
	}
	s.eventTypeChanged(org, name, concerned)
	return nil
}

// ListEventTypes implements [store.EventTypes].
func (s *Store) ListEventTypes(
	ctx context.Context, org string, f store.EventTypeFilter, page store.Page,
) (ets store.List[posthorn.EventType], err error) {
	defer s.annotate(&err, "listing event types of %s", org)
	return list(ctx, s, eventTypeFields, page, listEventTypes(org, f, page))
}

func listEventTypes(org string, f store.EventTypeFilter, page store.Page) *query {
	q := newQuery("SELECT " + eventTypeColumns + " FROM event_type")
	q.where("org_id = ?", org)
	if !f.Archived {
		q.where("NOT archived")
	}
	if !f.AnyFlag {
		q.where("(feature_flags IS NULL OR EXISTS (SELECT 1 FROM json_each(feature_flags) has"+
			" WHERE has.value IN (SELECT value FROM json_each(?))))", jsonOf(&f.FeatureFlags))
	}
	return q.page("name", page)
}

// MissingEventTypes implements [store.EventTypes]. Archived ones are not missing. The names keep their order.
func (s *Store) MissingEventTypes(ctx context.Context, org string, names []string) (missing []string, err error) {
	defer s.annotate(&err, "looking for event types of %s", org)
	q := newQuery("SELECT name FROM event_type WHERE org_id = ? AND name IN (SELECT value FROM json_each(?))", org, jsonOf(&names))
	known, err := many(ctx, s, func(name *string) []any { return []any{name} }, q)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.Contains(known, name) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

func findEventType(ctx context.Context, q *Session, org, name string) (posthorn.EventType, error) {
	et, err := one(ctx, q, eventTypeFields, "SELECT "+eventTypeColumns+" FROM event_type WHERE org_id = ? AND name = ?", org, name)
	return et, notFound(err, "event type %q", name)
}
