package sqlstore

import (
	"context"
	"sync"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// UpdateCatalogue implements [store.Catalogue]. An event type that exists keeps its time of creation.
func (s *Store) UpdateCatalogue(
	ctx context.Context, org string, change func([]posthorn.EventType) ([]posthorn.EventType, error),
) (err error) {
	defer s.annotate(&err, "updating the event types of %s", org)
	var changed []posthorn.EventType
	err = s.write(ctx, func(ctx context.Context, tx *Session) error {
		if err := tx.lock(catalogueLock(org)); err != nil {
			return err
		}
		found, err := all(ctx, tx, eventTypeFields, "SELECT "+eventTypeColumns+" FROM event_type WHERE org_id = ? ORDER BY name", org)
		if err != nil {
			return err
		}
		existing := make(map[string]posthorn.EventType, len(found))
		for _, et := range found {
			existing[et.Name] = et
		}
		if changed, err = change(found); err != nil {
			return refused{err}
		}
		for i := range changed {
			et := &changed[i]
			et.OrgID = org
			before, exists := existing[et.Name]
			save := insertEventType
			if exists {
				et.CreatedAt = before.CreatedAt
				save = saveEventType
			}
			if err := save(ctx, tx, et); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, et := range changed {
		s.eventTypes.changed(org, et.Name)
	}
	return nil
}

// OnEventTypeChange implements [store.Catalogue]. f is called before the method that made the change returns.
func (s *Store) OnEventTypeChange(f func(org, name string)) { s.eventTypes.add(f) }

// eventTypeListeners are told of changes to event types.
type eventTypeListeners struct {
	mu  sync.RWMutex
	all []func(org, name string)
}

var _ store.Catalogue = (*Store)(nil)

func (l *eventTypeListeners) add(f func(org, name string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, f)
}

func (l *eventTypeListeners) changed(org, name string) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, f := range l.all {
		f(org, name)
	}
}
