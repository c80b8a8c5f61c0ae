package postgres

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/routing"
)

// TestRoutesAreExactAcrossReplicas changes endpoints in one process and sends from another, which remembers how they were.
func TestRoutesAreExactAcrossReplicas(t *testing.T) {
	t.Parallel()
	_, stores := replicas(t, 2)
	here, there := stores[0], stores[1]
	table := routing.New(here)
	matching := func(m posthorn.Message) (ids []string) {
		t.Helper()
		endpoints, err := table.Match(t.Context(), &m)
		require.NoError(t, err)
		for _, ep := range endpoints {
			ids = append(ids, ep.ID)
		}
		return ids
	}
	app := posthorn.Application{ID: posthorn.ApplicationID.New(), OrgID: "org_1", Name: "app"}
	require.NoError(t, there.CreateApplication(t.Context(), app))
	sent := func() posthorn.Message {
		t.Helper()
		m := message(app.ID)
		require.NoError(t, here.CreateMessage(t.Context(), m))
		return m
	}
	taken := func() posthorn.Message { // by another process, and begun here
		t.Helper()
		m := message(app.ID)
		require.NoError(t, there.CreateMessage(t.Context(), m))
		m, err := here.MessageByID(t.Context(), m.ID)
		require.NoError(t, err)
		return m
	}
	for name, message := range map[string]func() posthorn.Message{"stored": sent, "read": taken} {
		require.Empty(t, matching(message()), name)
		ep := posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: app.ID}
		require.NoError(t, there.CreateEndpoint(t.Context(), ep))
		require.Equal(t, []string{ep.ID}, matching(message()), name)
		_, err := there.UpdateEndpoint(t.Context(), app.ID, ep.ID, func(e *posthorn.Endpoint) error { e.EventTypes = []string{"other"}; return nil })
		require.NoError(t, err)
		require.Empty(t, matching(message()), name)
		_, err = there.UpdateEndpoint(t.Context(), app.ID, ep.ID, func(e *posthorn.Endpoint) error { e.EventTypes = nil; return nil })
		require.NoError(t, err)
		require.Equal(t, []string{ep.ID}, matching(message()), name)
		require.NoError(t, there.DeleteEndpoint(t.Context(), app.ID, ep.ID, time.Now()))
		require.Empty(t, matching(message()), name)
	}
	_, err := there.UpdateApplication(t.Context(), "org_1", app.ID, func(a *posthorn.Application) error { a.ThrottleRate = 7; return nil })
	require.NoError(t, err)
	sent()
	rate, err := table.ThrottleRate(t.Context(), app.ID)
	require.NoError(t, err)
	require.Equal(t, 7, rate)
}

// TestOwnChangesOfRoutesAreNoSurprise has a process that changes endpoints alone: it never reads an application anew.
func TestOwnChangesOfRoutesAreNoSurprise(t *testing.T) {
	t.Parallel()
	_, stores := replicas(t, 2)
	var whole, single atomic.Int64
	stores[0].OnRouteChange(func(_, endpointID string) {
		if endpointID == "" {
			whole.Add(1)
		} else {
			single.Add(1)
		}
	})
	require.NoError(t, stores[0].CreateMessage(t.Context(), message("app_1")))
	require.EqualValues(t, 1, whole.Load(), "what nobody knows of may have changed")
	for i := range 5 {
		require.NoError(t, stores[0].CreateEndpoint(t.Context(), posthorn.Endpoint{ID: fmt.Sprint("ep_", i), AppID: "app_1"}))
		require.NoError(t, stores[0].CreateMessage(t.Context(), message("app_1")))
	}
	require.EqualValues(t, 1, whole.Load())
	require.EqualValues(t, 5, single.Load())
	require.NoError(t, stores[1].CreateEndpoint(t.Context(), posthorn.Endpoint{ID: "ep_other", AppID: "app_1"}))
	require.NoError(t, stores[0].CreateEndpoint(t.Context(), posthorn.Endpoint{ID: "ep_own", AppID: "app_1"}))
	require.EqualValues(t, 2, whole.Load(), "an own change does not hide another one")
}

// TestRoutesWhileReplicasChangeThem has every process change endpoints of the same applications, in different orders, and
// send: no message misses an endpoint that was there before it.
func TestRoutesWhileReplicasChangeThem(t *testing.T) {
	t.Parallel()
	_, stores := replicas(t, 3)
	var mu sync.Mutex
	made := map[string][]string{} // endpoints by application
	var problems []error
	failed := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		problems = append(problems, err)
	}
	tables := make([]*routing.Table, len(stores))
	for i, s := range stores {
		tables[i] = routing.New(s)
	}
	atOnce(4*len(stores), func(i int) {
		s, table := stores[i%len(stores)], tables[i%len(stores)]
		for n := range 12 {
			app := fmt.Sprint("app_", (i+n)%3)
			ep := posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: app}
			if err := s.CreateEndpoint(t.Context(), ep); err != nil {
				failed(err)
				continue
			}
			mu.Lock()
			made[app] = append(made[app], ep.ID)
			mu.Unlock()

			other := fmt.Sprint("app_", (i+n+1)%3)
			mu.Lock()
			wanted := made[other][:len(made[other]):len(made[other])]
			mu.Unlock()
			m := message(other)
			if err := s.CreateMessage(t.Context(), m); err != nil {
				failed(err)
				continue
			}
			found, err := table.Match(t.Context(), &m)
			if err != nil {
				failed(err)
			}
			there := map[string]bool{}
			for _, ep := range found {
				there[ep.ID] = true
			}
			for _, id := range wanted {
				if !there[id] {
					failed(fmt.Errorf("a message of %s misses %s", other, id))
				}
			}
		}
	})
	require.Empty(t, problems)
}
