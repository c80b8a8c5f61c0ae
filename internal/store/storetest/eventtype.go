package storetest

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func eventTypeTests() []test {
	return []test{
		{"an event type is found as it was stored", func(t *testing.T, s store.Store) {
			et := eventType("invoice.paid")
			et.Deprecated, et.FeatureFlags, et.GroupName, et.Validation = true, []string{"beta", "alpha"}, "billing", posthorn.Reject
			et.RetrySchedule = &posthorn.Schedule{}
			et.Schemas = map[string]json.RawMessage{"1": json.RawMessage(`{"type":"object"}`), "2": json.RawMessage(`true`)}
			require.NoError(t, s.CreateEventType(t.Context(), et))
			got, err := s.EventType(t.Context(), et.OrgID, et.Name)
			require.NoError(t, err)
			require.Len(t, got.Schemas, 2)
			for version, schema := range et.Schemas {
				require.JSONEq(t, string(schema), string(got.Schemas[version]))
			}
			got.Schemas = et.Schemas
			require.Equal(t, et, got)
			_, err = s.EventType(t.Context(), "org_other", et.Name)
			requireCode(t, posthorn.NotFound, err)
		}},
		{"a name is unique in its organisation, unless its event type is archived", func(t *testing.T, s store.Store) {
			et := eventType("invoice.paid")
			require.NoError(t, s.CreateEventType(t.Context(), et))
			requireCode(t, posthorn.Conflict, s.CreateEventType(t.Context(), et))
			other := et
			other.OrgID = "org_other"
			require.NoError(t, s.CreateEventType(t.Context(), other))

			archived, err := s.UpdateEventType(t.Context(), et.OrgID, et.Name, func(et *posthorn.EventType) error {
				et.Archived = true
				return nil
			})
			require.NoError(t, err)
			got, err := s.EventType(t.Context(), et.OrgID, et.Name)
			require.NoError(t, err, "an archived one is found")
			require.Equal(t, archived, got)

			et.Description, et.CreatedAt = "anew", noon().AddDate(0, 0, 1)
			require.NoError(t, s.CreateEventType(t.Context(), et))
			got, err = s.EventType(t.Context(), et.OrgID, et.Name)
			require.NoError(t, err)
			require.Equal(t, et, got)
			requireCode(t, posthorn.Conflict, s.CreateEventType(t.Context(), et))
		}},
		{"an update changes everything but the identity; one that refuses changes nothing", func(t *testing.T, s store.Store) {
			et := eventType("invoice.paid")
			require.NoError(t, s.CreateEventType(t.Context(), et))
			want := et
			want.Description, want.Deprecated, want.FeatureFlags, want.UpdatedAt = "new", true, []string{"beta"}, at(1)
			want.GroupName, want.Validation = "billing", posthorn.Warn
			want.RetrySchedule = &posthorn.Schedule{time.Second, time.Nanosecond}
			got, err := s.UpdateEventType(t.Context(), et.OrgID, et.Name, func(e *posthorn.EventType) error {
				*e = want
				e.Name, e.OrgID, e.CreatedAt = "other", "org_other", at(9)
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, want, got)
			refusal := errors.New("no")
			_, err = s.UpdateEventType(t.Context(), et.OrgID, et.Name, func(e *posthorn.EventType) error {
				e.Description = "refused"
				return refusal
			})
			require.Same(t, refusal, err)
			got, err = s.EventType(t.Context(), et.OrgID, et.Name)
			require.NoError(t, err)
			require.Equal(t, want, got)
			_, err = s.UpdateEventType(t.Context(), et.OrgID, "nobody", func(*posthorn.EventType) error { return nil })
			requireCode(t, posthorn.NotFound, err)
		}},
		{"a deleted event type is gone for good", func(t *testing.T, s store.Store) {
			et := eventType("invoice.paid")
			require.NoError(t, s.CreateEventType(t.Context(), et))
			requireCode(t, posthorn.NotFound, s.DeleteEventType(t.Context(), "org_other", et.Name))
			require.NoError(t, s.DeleteEventType(t.Context(), et.OrgID, et.Name))
			requireCode(t, posthorn.NotFound, s.DeleteEventType(t.Context(), et.OrgID, et.Name))
			_, err := s.EventType(t.Context(), et.OrgID, et.Name)
			requireCode(t, posthorn.NotFound, err)
			require.NoError(t, s.CreateEventType(t.Context(), et))
		}},
		{"the list has every page there can be, by name in byte order", func(t *testing.T, s store.Store) {
			names := []string{"B", "a.b", "a_b", "b", "é"}
			for _, i := range []int{3, 0, 4, 2, 1} {
				require.NoError(t, s.CreateEventType(t.Context(), eventType(names[i])))
			}
			requirePages(t, names, func(et posthorn.EventType) string { return et.Name },
				func(p store.Page) (store.List[posthorn.EventType], error) {
					return s.ListEventTypes(t.Context(), posthorn.DefaultOrg, store.EventTypeFilter{}, p)
				})
		}},
		{"the list leaves out what is archived or behind a flag unless asked", eventTypeFilters},
		{"missing event types are those that the catalogue does not have", func(t *testing.T, s store.Store) {
			require.NoError(t, s.CreateEventType(t.Context(), eventType("a")))
			archived := eventType("b")
			archived.Archived = true
			require.NoError(t, s.CreateEventType(t.Context(), archived))
			missing, err := s.MissingEventTypes(t.Context(), posthorn.DefaultOrg, []string{"x", "a", "b", "c", "x"})
			require.NoError(t, err)
			require.ElementsMatch(t, []string{"x", "c"}, missing)
			missing, err = s.MissingEventTypes(t.Context(), "org_other", []string{"a"})
			require.NoError(t, err)
			require.Equal(t, []string{"a"}, missing)
			missing, err = s.MissingEventTypes(t.Context(), posthorn.DefaultOrg, nil)
			require.NoError(t, err)
			require.Empty(t, missing)
		}},
	}
}

func eventTypeFilters(t *testing.T, s store.Store) {
	for _, et := range []posthorn.EventType{
		{Name: "archived", Archived: true},
		{Name: "archived.beta", Archived: true, FeatureFlags: []string{"beta"}},
		{Name: "plain"},
		{Name: "plain.alpha", FeatureFlags: []string{"alpha", "omega"}},
		{Name: "plain.beta", FeatureFlags: []string{"delta", "beta"}},
	} {
		et.OrgID = posthorn.DefaultOrg
		require.NoError(t, s.CreateEventType(t.Context(), et))
	}
	for _, c := range []struct {
		filter store.EventTypeFilter
		want   []string
	}{
		{store.EventTypeFilter{}, []string{"plain"}},
		{store.EventTypeFilter{Archived: true}, []string{"archived", "plain"}},
		{store.EventTypeFilter{FeatureFlags: []string{"beta", "gamma"}}, []string{"plain", "plain.beta"}},
		{store.EventTypeFilter{FeatureFlags: []string{"omega"}}, []string{"plain", "plain.alpha"}},
		{store.EventTypeFilter{AnyFlag: true}, []string{"plain", "plain.alpha", "plain.beta"}},
		{store.EventTypeFilter{AnyFlag: true, FeatureFlags: []string{"beta"}}, []string{"plain", "plain.alpha", "plain.beta"}},
		{
			store.EventTypeFilter{Archived: true, FeatureFlags: []string{"beta"}},
			[]string{"archived", "archived.beta", "plain", "plain.beta"},
		},
	} {
		got, err := s.ListEventTypes(t.Context(), posthorn.DefaultOrg, c.filter, everything())
		require.NoError(t, err)
		require.Equal(t, c.want, keysOf(got.Items, func(et posthorn.EventType) string { return et.Name }), "%+v", c.filter)
	}
}
