package storetest

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func catalogueTests() []test {
	return []test{
		{"a catalogue is changed as a whole", func(t *testing.T, s store.Store) {
			archived := eventType("a")
			archived.Archived = true
			require.NoError(t, s.CreateEventType(t.Context(), archived))
			require.NoError(t, s.CreateEventType(t.Context(), eventType("b")))
			foreign := eventType("b")
			foreign.OrgID = "org_other"
			require.NoError(t, s.CreateEventType(t.Context(), foreign))

			changed, added := eventType("a"), eventType("c")
			changed.GroupName, changed.CreatedAt, added.OrgID = "letters", at(9), "org_other"
			require.NoError(t, s.UpdateCatalogue(t.Context(), posthorn.DefaultOrg, func(all []posthorn.EventType) ([]posthorn.EventType, error) {
				require.Equal(t, []posthorn.EventType{archived, eventType("b")}, all)
				return []posthorn.EventType{changed, added}, nil
			}))
			got, err := s.ListEventTypes(t.Context(), posthorn.DefaultOrg, store.EventTypeFilter{Archived: true}, everything())
			require.NoError(t, err)
			changed.CreatedAt, added.OrgID = archived.CreatedAt, posthorn.DefaultOrg
			require.Equal(t, []posthorn.EventType{changed, eventType("b"), added}, got.Items)
			got, err = s.ListEventTypes(t.Context(), "org_other", store.EventTypeFilter{Archived: true}, everything())
			require.NoError(t, err)
			require.Equal(t, []posthorn.EventType{foreign}, got.Items)
		}},
		{"a change of a catalogue that refuses changes nothing", func(t *testing.T, s store.Store) {
			refusal := errors.New("no")
			err := s.UpdateCatalogue(t.Context(), posthorn.DefaultOrg, func([]posthorn.EventType) ([]posthorn.EventType, error) {
				return []posthorn.EventType{eventType("a")}, refusal
			})
			require.Same(t, refusal, err)
			_, err = s.EventType(t.Context(), posthorn.DefaultOrg, "a")
			requireCode(t, posthorn.NotFound, err)
		}},
		{"who listens hears of every change to an event type, after it", func(t *testing.T, s store.Store) {
			var mu sync.Mutex
			var heard []string
			s.OnEventTypeChange(func(org, name string) {
				_, err := s.EventType(t.Context(), org, name)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					name += " is gone"
				}
				heard = append(heard, org+" "+name)
			})
			et := eventType("a")
			et.OrgID = "org_1"
			require.NoError(t, s.CreateEventType(t.Context(), et))
			requireCode(t, posthorn.Conflict, s.CreateEventType(t.Context(), et))
			_, err := s.UpdateEventType(t.Context(), "org_1", "a", func(e *posthorn.EventType) error { return nil })
			require.NoError(t, err)
			_, err = s.UpdateEventType(t.Context(), "org_1", "a", func(e *posthorn.EventType) error { return errors.New("no") })
			require.Error(t, err)
			require.NoError(t, s.UpdateCatalogue(t.Context(), "org_1", func(all []posthorn.EventType) ([]posthorn.EventType, error) {
				return []posthorn.EventType{eventType("b"), all[0]}, nil
			}))
			require.NoError(t, s.DeleteEventType(t.Context(), "org_1", "a"))
			requireCode(t, posthorn.NotFound, s.DeleteEventType(t.Context(), "org_1", "a"))
			require.Equal(t, []string{"org_1 a", "org_1 a", "org_1 b", "org_1 a", "org_1 a is gone"}, heard)
		}},
	}
}
