package app_test

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/dispatch"
)

// A workflow that is in its first round will carry on by itself what it leaves open. A second one for the same delivery
// would send it again; the dispatcher of this test could not even start it.
func TestAWakeDuringTheFirstRoundStartsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answer := make(chan struct{})
	answers := sync.OnceFunc(func() { close(answer) })
	defer answers()
	slow := newReceiver(t, func(http.ResponseWriter, *http.Request, int) { <-answer })
	quick := newReceiver(t, nil)
	b.endpoint(svix.EndpointIn{Url: slow.URL})
	paused := b.endpoint(svix.EndpointIn{Url: quick.URL})
	b.change(http.MethodPost, paused.Id, "/pause", "")
	id := b.send("a", `{}`)
	slow.wait(t, 1)

	woken := &dispatch.Dispatcher{Client: b.temporal(), Wakes: activities.NewWakes(), Namespace: app.Namespace}
	err := woken.Wake(b.ctx, posthorn.Delivery{MessageID: id, AppID: b.appID, EndpointID: paused.Id})
	answers()
	require.NoError(t, err)
	b.waitHeld(paused.Id, 1)
	b.change(http.MethodPost, paused.Id, "/resume", "")
	b.waitCompleted(id)
	quick.wait(t, 1)
	b.waitHeld(paused.Id, 0)
	require.Len(t, quick.all(), 1)
}

// heard notes of whose end it is told that their workflows know of it.
type heard struct {
	dispatch.Store
	ends []posthorn.Delivery
}

func (h *heard) Heard(_ context.Context, ds []posthorn.Delivery) error {
	h.ends = append(h.ends, ds...)
	return nil
}

// A run in another process may have read the row before the delivery ended; to reset it starts no further one.
func TestAnEndIsNotHeardByARunAtWork(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answer := make(chan struct{})
	answers := sync.OnceFunc(func() { close(answer) })
	defer answers()
	rec := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n == 1 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		<-answer
	})
	ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
	id := b.send("a", `{}`)
	rec.wait(t, 2)

	var told heard
	other := &dispatch.Dispatcher{Client: b.temporal(), Store: &told, Wakes: activities.NewWakes(), Namespace: app.Namespace}
	ended := posthorn.Delivery{MessageID: id, AppID: b.appID, EndpointID: ep.Id, State: posthorn.Cancelled}
	require.NoError(t, other.Nudge(b.ctx, ended))
	require.Empty(t, told.ends)
	answers()
	b.waitCompleted(id)
	require.NoError(t, other.Nudge(b.ctx, ended))
	require.Equal(t, []posthorn.Delivery{ended}, told.ends, "nobody is left who would not know")
}
