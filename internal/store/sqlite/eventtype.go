package sqlite

import (
	"context"
	"slices"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const eventTypeColumns = "org_id, name, description, group_name, archived, deprecated, feature_flags, schemas, validation, " +
	"created_at, updated_at"

func eventTypeFields(t *posthorn.EventType) []any {
	return []any{
		&t.OrgID, &t.Name, &t.Description, text{&t.GroupName}, &t.Archived, &t.Deprecated, jsonOf(&t.FeatureFlags),
		jsonOf(&t.Schemas), text{(*string)(&t.Validation)}, moment{&t.CreatedAt}, moment{&t.UpdatedAt},
	}
}

// CreateEventType implements [store.EventTypes].
func (s *Store) CreateEventType(ctx context.Context, et posthorn.EventType) (err error) {
	defer annotate(&err, "creating event type %s", et.Name)
	err = s.write(ctx, func(ctx context.Context, tx *statements) error {
		if _, err := tx.exec(ctx, "DELETE FROM event_type WHERE org_id = ? AND name = ? AND archived", et.OrgID, et.Name); err != nil {
			return err
		}
		err := insertEventType(ctx, tx, &et)
		if isDuplicate(err) {
			return posthorn.Errorf(posthorn.Conflict, "there is an event type %q already", et.Name)
		}
		return err
	})
	if err != nil {
		return err
	}
	s.eventTypes.changed(et.OrgID, et.Name)
	return nil
}

func insertEventType(ctx context.Context, tx *statements, et *posthorn.EventType) error {
	_, err := tx.exec(ctx,
		"INSERT INTO event_type ("+eventTypeColumns+") VALUES ("+placeholders(eventTypeColumns)+")", eventTypeFields(et)...)
	return err
}

func saveEventType(ctx context.Context, tx *statements, et *posthorn.EventType) error {
	_, err := tx.exec(ctx,
		"UPDATE event_type SET ("+eventTypeColumns+") = ("+placeholders(eventTypeColumns)+") WHERE org_id = ? AND name = ?",
		append(eventTypeFields(et), et.OrgID, et.Name)...)
	return err
}

// EventType implements [store.EventTypes].
func (s *Store) EventType(ctx context.Context, org, name string) (et posthorn.EventType, err error) {
	defer annotate(&err, "reading event type %s", name)
	return read(s, func(q *statements) (posthorn.EventType, error) { return findEventType(ctx, q, org, name) })
}

// UpdateEventType implements [store.EventTypes]. The organisation, the name and the time of creation don't change.
func (s *Store) UpdateEventType(
	ctx context.Context, org, name string, change func(*posthorn.EventType) error,
) (et posthorn.EventType, err error) {
	defer annotate(&err, "updating event type %s", name)
	et, err = update(ctx, s,
		func(ctx context.Context, tx *statements) (posthorn.EventType, error) {
			return findEventType(ctx, tx, org, name)
		},
		func(et *posthorn.EventType) error {
			created := et.CreatedAt
			err := change(et)
			et.OrgID, et.Name, et.CreatedAt = org, name, created
			return err
		},
		saveEventType)
	if err != nil {
		return posthorn.EventType{}, err
	}
	s.eventTypes.changed(org, name)
	return et, nil
}

// DeleteEventType implements [store.EventTypes].
func (s *Store) DeleteEventType(ctx context.Context, org, name string) (err error) {
	defer annotate(&err, "deleting event type %s", name)
	err = s.write(ctx, func(ctx context.Context, tx *statements) error {
		deleted, err := tx.exec(ctx, "DELETE FROM event_type WHERE org_id = ? AND name = ?", org, name)
		if err == nil && deleted == 0 {
			return posthorn.Errorf(posthorn.NotFound, "there is no event type %q", name)
		}
		return err
	})
	if err != nil {
		return err
	}
	s.eventTypes.changed(org, name)
	return nil
}

// ListEventTypes implements [store.EventTypes].
func (s *Store) ListEventTypes(
	ctx context.Context, org string, f store.EventTypeFilter, page store.Page,
) (ets store.List[posthorn.EventType], err error) {
	defer annotate(&err, "listing event types of %s", org)
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
	defer annotate(&err, "looking for event types of %s", org)
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

func findEventType(ctx context.Context, q *statements, org, name string) (posthorn.EventType, error) {
	et, err := one(ctx, q, eventTypeFields, "SELECT "+eventTypeColumns+" FROM event_type WHERE org_id = ? AND name = ?", org, name)
	return et, notFound(err, "event type %q", name)
}
