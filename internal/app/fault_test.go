package app_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/config"
)

// TestDatabaseThatRefusesForAWhile: while no attempt can be recorded, as on a full disk, messages are accepted; when it
// is over, all of them are delivered and on record, once, and nobody had to do anything.
func TestDatabaseThatRefusesForAWhile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := ownWith(t, dir, slog.New(slog.DiscardHandler), func(c *config.Config) {
		c.RetrySchedule = slices.Repeat(posthorn.Schedule{time.Second}, 50)
	})
	db := database(t, dir)
	good := newReceiver(t, nil)
	var well atomic.Bool
	flaky := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		if !well.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	goodEndpoint := b.endpoint(svix.EndpointIn{Url: good.URL})
	b.endpoint(svix.EndpointIn{Url: flaky.URL})
	retried := b.send("a", `{"n":0}`) // is in the durable lane when the fault begins
	flaky.wait(t, 1)
	good.wait(t, 1)
	require.Eventually(t, func() bool { return len(b.attempts(retried)) >= 2 }, patience, 10*time.Millisecond)

	_, err := db.ExecContext(b.ctx, "CREATE TRIGGER fault BEFORE INSERT ON attempt BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END")
	require.NoError(t, err)
	well.Store(true)
	ids := []string{retried}
	for n := range 5 {
		ids = append(ids, b.send("a", fmt.Sprintf(`{"n":%d}`, n+1)))
	}
	good.wait(t, 1+2*5) // the requests of at least one run of the fast lane, and of its repetition
	before := len(b.attempts(retried))
	for _, id := range ids[1:] {
		require.Empty(t, b.attempts(id))
		status, body := b.request(http.MethodGet, "/msg/"+id, "")
		require.Equal(t, http.StatusOK, status, "%s", body)
	}
	_, err = db.ExecContext(b.ctx, "DROP TRIGGER fault")
	require.NoError(t, err)

	for _, id := range ids {
		require.Eventually(t, func() bool {
			all := b.destinations(id)
			return len(all) == 2 && all[0].State == posthorn.Delivered && all[1].State == posthorn.Delivered
		}, 120*time.Second, 50*time.Millisecond, "%s", id)
		successes := map[string]int{}
		for _, a := range b.attempts(id) {
			if a.Status == 0 {
				successes[a.EndpointID]++
			}
		}
		require.Len(t, successes, 2)
		require.Equal(t, 1, successes[goodEndpoint.Id], "what was answered 200 is on record once")
	}
	require.Greater(t, len(b.attempts(retried)), before)
	c := b.temporal()
	mine := ` AND PosthornApplication="` + b.appID + `"`
	b.list(c, `ExecutionStatus="Completed"`+mine, len(ids))
	b.list(c, `ExecutionStatus="Failed"`+mine, 0)
}

// TestListOfWhatFailed: what a receiver did not take within its schedule is listed, in Temporal and by the API, until it
// is sent again.
func TestListOfWhatFailed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var well atomic.Bool
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		if !well.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	ep := b.endpoint(svix.EndpointIn{Url: r.URL})
	began := time.Now().Add(-time.Second)
	var ids []string
	for range 3 {
		ids = append(ids, b.send("a", `{}`))
	}
	for _, id := range ids {
		b.waitState(id, posthorn.Failed)
	}
	failed := func() (listed []string) {
		var page struct{ Data []struct{ ID string } }
		status, body := b.request(http.MethodGet, "/endpoint/"+ep.Id+"/msg?status=2", "")
		require.Equal(t, http.StatusOK, status, "%s", body)
		require.NoError(t, json.Unmarshal(body, &page))
		for _, m := range page.Data {
			listed = append(listed, m.ID)
		}
		return listed
	}
	require.ElementsMatch(t, ids, failed())
	b.list(b.temporal(), `ExecutionStatus="Failed" AND PosthornApplication="`+b.appID+`"`, 3)

	well.Store(true)
	_, err := b.svix.Endpoint.Recover(b.ctx, b.appID, ep.Id, &svix.RecoverIn{Since: began})
	require.NoError(t, err)
	for _, id := range ids {
		b.waitState(id, posthorn.Delivered)
	}
	require.Empty(t, failed())
	require.Len(t, r.all(), 3*4+3)
}
