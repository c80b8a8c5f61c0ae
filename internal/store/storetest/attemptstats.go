package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// attemptedAt stores a message of a minute with one attempt of that minute at an endpoint; nil means that it was
// cancelled instead.
func attemptedAt(t *testing.T, s store.Store, ep posthorn.Endpoint, minute int, eventType string, change func(posthorn.Attempt) posthorn.Attempt) {
	t.Helper()
	m := message(ep.AppID, "")
	m.ID, m.EventType = idAt(posthorn.MessageID, minute), eventType
	createMessage(t, s, m)
	if change == nil {
		record(t, s, m, store.Record{Closed: []posthorn.Delivery{{MessageID: m.ID, EndpointID: ep.ID, State: posthorn.Cancelled}}})
		return
	}
	a := attempt(m, ep.ID)
	a.ID = idAt(posthorn.AttemptID, minute)
	record(t, s, m, store.Record{Attempts: []posthorn.Attempt{change(a)}})
}

func failed(a posthorn.Attempt) posthorn.Attempt { return a }

func attemptStatisticsTests() []test {
	return []test{
		{"an endpoint's figures count attempts by outcome and open deliveries, in the window", func(t *testing.T, s store.Store) {
			ep, other := endpoint("app_1", ""), endpoint("app_1", "")
			for i, change := range []func(posthorn.Attempt) posthorn.Attempt{succeeded, succeeded, failed, retried, nil} {
				attemptedAt(t, s, ep, i, "a", change)
				attemptedAt(t, s, other, i+20, "a", change)
			}
			m := createMessage(t, s, messageAt("app_1", 5))
			record(t, s, m, store.Record{Pending: []string{ep.ID}})
			m = createMessage(t, s, messageAt("app_1", 6))
			record(t, s, m, store.Record{Closed: []posthorn.Delivery{{MessageID: m.ID, EndpointID: ep.ID, State: posthorn.Held}}})
			figures := func(w store.Window) store.EndpointFigures {
				got, err := s.EndpointFigures(t.Context(), ep.ID, w)
				require.NoError(t, err)
				return got
			}
			all := store.EndpointFigures{Figures: store.Figures{Success: 2, Failure: 2, Cancelled: 1}, Pending: 1, Sending: 2}
			require.Equal(t, all, figures(store.Window{}))
			require.Equal(t, all, figures(store.Window{After: at(-1), Before: at(7)}))
			require.Equal(t, store.EndpointFigures{Figures: store.Figures{Success: 1, Failure: 1}}, figures(store.Window{After: at(0), Before: at(3)}))
			require.Zero(t, figures(store.Window{After: at(6)}))
		}},
		{"an application's figures come by event type, deleted endpoints included", func(t *testing.T, s store.Store) {
			ep, gone, foreign := endpoint("app_1", ""), endpoint("app_1", ""), endpoint("app_2", "")
			for _, e := range []posthorn.Endpoint{ep, gone, foreign} {
				require.NoError(t, s.CreateEndpoint(t.Context(), e))
			}
			attemptedAt(t, s, ep, 0, "a", succeeded)
			attemptedAt(t, s, ep, 1, "a", failed)
			attemptedAt(t, s, gone, 2, "a", succeeded)
			attemptedAt(t, s, gone, 3, "b", nil)
			attemptedAt(t, s, ep, 4, "c", retried)
			attemptedAt(t, s, foreign, 5, "a", succeeded)
			require.NoError(t, s.DeleteEndpoint(t.Context(), "app_1", gone.ID, noon()))
			for _, tc := range []struct {
				types []string
				w     store.Window
				want  map[string]store.Figures
			}{
				{nil, store.Window{}, map[string]store.Figures{"a": {Success: 2, Failure: 1}, "b": {Cancelled: 1}, "c": {Failure: 1}}},
				{[]string{"a", "b"}, store.Window{}, map[string]store.Figures{"a": {Success: 2, Failure: 1}, "b": {Cancelled: 1}}},
				{nil, store.Window{After: at(0), Before: at(3)}, map[string]store.Figures{"a": {Success: 1, Failure: 1}}},
				{[]string{"none"}, store.Window{}, map[string]store.Figures{}},
			} {
				got, err := s.FiguresByEventType(t.Context(), "app_1", tc.types, tc.w)
				require.NoError(t, err)
				require.Equal(t, tc.want, got)
			}
		}},
		{"an application's figures come by period, empty ones included", func(t *testing.T, s store.Store) {
			ep, gone, idle := endpoint("app_1", ""), endpoint("app_1", ""), endpoint("app_1", "")
			for _, e := range []posthorn.Endpoint{ep, gone, idle} {
				require.NoError(t, s.CreateEndpoint(t.Context(), e))
			}
			attemptedAt(t, s, ep, 0, "a", succeeded)
			attemptedAt(t, s, gone, 4, "b", failed)
			attemptedAt(t, s, ep, 5, "a", succeeded)
			attemptedAt(t, s, ep, 17, "a", nil)
			attemptedAt(t, s, gone, 19, "a", succeeded)
			attemptedAt(t, s, ep, 20, "a", succeeded)
			require.NoError(t, s.DeleteEndpoint(t.Context(), "app_1", gone.ID, noon()))
			bounds := []time.Time{at(0), at(5), at(10), at(15), at(20)}
			got, err := s.FiguresByPeriod(t.Context(), "app_1", nil, bounds)
			require.NoError(t, err)
			require.Equal(t, []store.Figures{{Success: 1, Failure: 1}, {Success: 1}, {}, {Success: 1, Cancelled: 1}}, got)
			got, err = s.FiguresByPeriod(t.Context(), "app_1", []string{"b"}, bounds)
			require.NoError(t, err)
			require.Equal(t, []store.Figures{{Failure: 1}, {}, {}, {}}, got)
			got, err = s.FiguresByPeriod(t.Context(), "app_2", nil, bounds)
			require.NoError(t, err)
			require.Equal(t, make([]store.Figures, 4), got)
		}},
		{"figures by period are the same whether there is much in a period or little", func(t *testing.T, s store.Store) {
			busy, calm := endpoint("app_1", ""), endpoint("app_1", "")
			for _, e := range []posthorn.Endpoint{busy, calm} {
				require.NoError(t, s.CreateEndpoint(t.Context(), e))
			}
			for minute := range 40 {
				attemptedAt(t, s, busy, minute, "a", succeeded)
				attemptedAt(t, s, busy, minute+100, "b", nil)
				if minute%13 == 0 { // 0, 13, 26, 39
					attemptedAt(t, s, busy, minute+200, "b", failed)
					attemptedAt(t, s, calm, minute+300, "a", retried)
				}
			}
			bounds := []time.Time{at(1), at(2), at(39), at(100), at(139), at(200), at(239), at(313), at(340)}
			for _, tc := range []struct {
				types []string
				want  []store.Figures
			}{
				{nil, []store.Figures{{Success: 1}, {Success: 37}, {Success: 1}, {Cancelled: 39}, {Cancelled: 1}, {Failure: 3}, {Failure: 2}, {Failure: 3}}},
				{[]string{"a", "a"}, []store.Figures{{Success: 1}, {Success: 37}, {Success: 1}, {}, {}, {}, {Failure: 1}, {Failure: 3}}},
				{[]string{"b"}, []store.Figures{{}, {}, {}, {Cancelled: 39}, {Cancelled: 1}, {Failure: 3}, {Failure: 1}, {}}},
			} {
				got, err := s.FiguresByPeriod(t.Context(), "app_1", tc.types, bounds)
				require.NoError(t, err)
				require.Equal(t, tc.want, got, "%v", tc.types)
			}
		}},
		{"endpoints and active applications are counted in one organisation, without the deleted and the excepted", func(t *testing.T, s store.Store) {
			app := func(org string, urls ...string) posthorn.Application {
				a := application("")
				a.OrgID = org
				require.NoError(t, s.CreateApplication(t.Context(), a))
				for _, url := range urls {
					e := endpoint(a.ID, "")
					e.Disabled, e.URL = url[0] == '!', url
					require.NoError(t, s.CreateEndpoint(t.Context(), e))
				}
				return a
			}
			app("org_1", "https://a.example", "https://Play.example/in/1", "!b")
			app("org_1", "!c")
			app("org_1", "https://play.example/in/2")
			app("org_1")
			app("org_2", "https://d.example")
			deleted := app("org_1", "https://e.example")
			require.NoError(t, s.DeleteApplication(t.Context(), "org_1", deleted.ID, noon()))
			half := app("org_1", "https://f.example")
			eps, err := s.ListEndpoints(t.Context(), half.ID, everything())
			require.NoError(t, err)
			require.NoError(t, s.DeleteEndpoint(t.Context(), half.ID, eps.Items[0].ID, noon()))

			for _, tc := range []struct {
				except                                 []string
				active, disabled, apps, appsWithEither int
			}{
				{nil, 3, 2, 2, 3},
				{[]string{"https://play.example/"}, 1, 2, 1, 2},
			} {
				active, disabled, err := s.CountEndpoints(t.Context(), "org_1", tc.except)
				require.NoError(t, err)
				require.Equal(t, []int{tc.active, tc.disabled}, []int{active, disabled})
				for enabled, want := range map[bool]int{true: tc.apps, false: tc.appsWithEither} {
					got, err := s.CountActiveApplications(t.Context(), "org_1", enabled, tc.except)
					require.NoError(t, err)
					require.Equal(t, want, got)
				}
			}
			active, disabled, err := s.CountEndpoints(t.Context(), "org_3", nil)
			require.NoError(t, err)
			require.Zero(t, active+disabled)
		}},
	}
}
