package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestRoomShrinksAndGrows(t *testing.T) {
	t.Parallel()
	r := newRoom()
	gone := posthorn.Errorf(posthorn.Unavailable, "no answer")
	began := time.Now()
	var leave []func()
	for range 100 {
		l, err := r.enter("busy")
		require.NoError(t, err)
		leave = append(leave, l)
	}
	for range 100 {
		r.told(began, gone)
	}
	require.Equal(t, 50, r.size, "those that fail together count once")
	_, err := r.enter("busy")
	require.Equal(t, posthorn.Unavailable, posthorn.CodeOf(err))
	other, err := r.enter("other")
	require.NoError(t, err, "whoever has less than a share finds room")
	other()
	for range 5 {
		r.told(time.Now(), gone)
	}
	require.Equal(t, leastRoom, r.size)
	for _, l := range leave {
		l()
	}
	require.Empty(t, r.byApp)
	r.told(time.Now().Add(-promptly), nil)
	require.Equal(t, leastRoom, r.size, "a late answer is no reason to let more in")
	for range 2 * mostRoom {
		r.told(time.Now(), posthorn.Errorf(posthorn.Conflict, "it has begun before"))
	}
	require.Equal(t, mostRoom, r.size)
}

// When Temporal has stopped answering, few are kept waiting for it; the others are refused before anything is stored.
func TestNothingIsStoredThatFindsNoRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	engine := &silent{fakeTemporal: b.dispatcher, waiting: make(chan struct{}), answer: make(chan struct{})}
	server, err := New(Options{Store: b.store, Dispatcher: engine, Tokens: b.tokens})
	require.NoError(t, err)
	server.room.size = leastRoom
	listener := httptest.NewServer(server.Handler())
	t.Cleanup(listener.Close)
	b.url = listener.URL
	post := func(path, body string) reply { return b.do(http.MethodPost, "/app/"+app+path, body) }

	var all sync.WaitGroup
	for range leastRoom {
		all.Go(func() { assert.Equal(t, http.StatusAccepted, post("/msg", `{"eventType":"a","payload":{}}`).status) })
		<-engine.waiting
	}
	refused := post("/msg", `{"eventType":"a","payload":{}}`)
	require.Equal(t, http.StatusServiceUnavailable, refused.status, refused.body)
	require.NotEmpty(t, refused.header.Get(retryAfterHeader))
	require.Equal(t, leastRoom, b.count("/app/"+app+"/msg"))
	close(engine.answer)
	all.Wait()
	go func() { <-engine.waiting }()
	require.Equal(t, http.StatusAccepted, post("/msg", `{"eventType":"a","payload":{}}`).status)
}

// silent keeps everybody waiting.
type silent struct {
	*fakeTemporal
	waiting, answer chan struct{}
}

func (s *silent) Start(ctx context.Context, m posthorn.Message) error {
	s.waiting <- struct{}{}
	<-s.answer
	return s.fakeTemporal.Start(ctx, m)
}
