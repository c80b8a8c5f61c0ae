package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/pgtest"
	"github.com/posthorn/posthorn/internal/store"
)

// replicas are stores on one database, as those of several processes.
func replicas(t *testing.T, n int) (url string, stores []*Store) {
	t.Helper()
	url = migrated(t)
	for range n {
		stores = append(stores, open(t, url))
	}
	return url, stores
}

// atOnce calls f for each number, from several goroutines that begin together.
func atOnce(n int, f func(i int)) {
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-begin
			f(i)
		})
	}
	close(begin)
	all.Wait()
}

func message(appID string) posthorn.Message {
	now := time.Now()
	return posthorn.Message{
		ID: posthorn.MessageID.New(), AppID: appID, EventType: "invoice.paid", Payload: []byte(`{}`),
		CreatedAt: now, ExpiresAt: now.Add(posthorn.DefaultRetention),
	}
}

func attempt(m posthorn.Message, endpoint string, success bool) posthorn.Attempt {
	return posthorn.Attempt{
		ID: posthorn.AttemptID.New(), MessageID: m.ID, AppID: m.AppID, EndpointID: endpoint, EventType: m.EventType,
		Trigger: posthorn.Manual, StartedAt: time.Now(), Success: success,
	}
}

func TestAttemptsAreNumberedWithoutGaps(t *testing.T) {
	t.Parallel()
	_, stores := replicas(t, 2)
	m := message("app_1")
	require.NoError(t, stores[0].CreateMessage(t.Context(), m))
	const n = 60
	numbers := make([]int, n)
	atOnce(n, func(i int) {
		recorded, err := stores[i%2].Record(t.Context(), store.Record{
			MessageID: m.ID, AppID: m.AppID, Attempts: []posthorn.Attempt{attempt(m, "ep_1", i%3 > 0)},
		})
		if err == nil {
			numbers[i] = recorded[0].Number
		}
	})
	var wanted []int
	for i := range n {
		wanted = append(wanted, i+1)
	}
	require.ElementsMatch(t, wanted, numbers)
	d, err := stores[0].Delivery(t.Context(), m.ID, "ep_1")
	require.NoError(t, err)
	require.Equal(t, n, d.Attempts)
}

func TestHealthCountsWhatEachReplicaSees(t *testing.T) {
	t.Parallel()
	_, stores := replicas(t, 2)
	ep := posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: "app_1"}
	require.NoError(t, stores[0].CreateEndpoint(t.Context(), ep))
	const n = 40
	fail := func(i int, success bool) error {
		m := message("app_1")
		if err := stores[i%2].CreateMessage(t.Context(), m); err != nil {
			return err
		}
		a := attempt(m, ep.ID, success)
		a.Trigger = posthorn.Automatic
		_, err := stores[i%2].Record(t.Context(), store.Record{MessageID: m.ID, AppID: m.AppID, Attempts: []posthorn.Attempt{a}, Dispatched: true})
		return err
	}
	var failed atomic.Int32
	atOnce(n, func(i int) {
		if fail(i, false) != nil {
			failed.Add(1)
		}
	})
	require.Zero(t, failed.Load())
	h, err := stores[1].Health(t.Context(), ep.ID)
	require.NoError(t, err)
	require.Equal(t, n, h.Failures)

	// The success is recorded by a process that has seen no failure of the endpoint.
	require.NoError(t, fail(1, true))
	for _, s := range stores {
		h, err := s.Health(t.Context(), ep.ID)
		require.NoError(t, err)
		require.Zero(t, h)
	}
}

func TestLimitsHoldAcrossReplicas(t *testing.T) {
	t.Parallel()
	_, stores := replicas(t, 2)
	ep := posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: "app_1", MaxInFlight: 3, ThrottleRate: 10}
	require.NoError(t, stores[0].CreateEndpoint(t.Context(), ep))
	now := time.Now()
	var boarded atomic.Int32
	turns := make(chan time.Time, 40)
	var failed atomic.Int32
	atOnce(40, func(i int) {
		b, err := stores[i%2].Board(t.Context(), store.Boarding{
			AppID: "app_1", EndpointID: ep.ID, Holder: fmt.Sprint(i), Now: now, Until: now.Add(time.Minute),
		})
		if err != nil {
			failed.Add(1)
		}
		if b.OK {
			boarded.Add(1)
		}
		turn, err := stores[i%2].TakeTurn(t.Context(), store.Turn{AppID: "app_1", EndpointID: ep.ID, Now: now})
		if err != nil {
			failed.Add(1)
		}
		turns <- turn.At
	})
	require.Zero(t, failed.Load())
	require.EqualValues(t, ep.MaxInFlight, boarded.Load())
	close(turns)
	other := posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: "app_1", ThrottleRate: ep.ThrottleRate}
	require.NoError(t, stores[0].CreateEndpoint(t.Context(), other))
	var given, wanted []time.Time
	for at := range turns {
		given = append(given, at)
		turn, err := stores[0].TakeTurn(t.Context(), store.Turn{AppID: "app_1", EndpointID: other.ID, Now: now})
		require.NoError(t, err)
		wanted = append(wanted, turn.At)
	}
	require.ElementsMatch(t, wanted, given, "the turns that one process gives, one after the other")
}

func TestOneReplicaProbes(t *testing.T) {
	t.Parallel()
	url, stores := replicas(t, 2)
	now := time.Now()
	ep := posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: "app_1"}
	require.NoError(t, stores[0].CreateEndpoint(t.Context(), ep))
	m := message("app_1")
	require.NoError(t, stores[0].CreateMessage(t.Context(), m))
	_, err := stores[0].Record(t.Context(), store.Record{MessageID: m.ID, AppID: m.AppID, Pending: []string{ep.ID}})
	require.NoError(t, err)
	_, err = stores[0].Record(t.Context(), store.Record{
		MessageID: m.ID, AppID: m.AppID, Waiting: []posthorn.Delivery{{MessageID: m.ID, AppID: m.AppID, EndpointID: ep.ID, Waits: posthorn.WaitCircuit}},
	})
	require.NoError(t, err)
	ask(t, url, "INSERT INTO endpoint_health VALUES ($1, 'app_1', 9, 1, 1, 1, false)", ep.ID)
	var probes, conflicts atomic.Int32
	atOnce(30, func(i int) {
		switch _, err := stores[i%2].TakeProbe(t.Context(), ep.ID, now, now.Add(time.Minute)); posthorn.CodeOf(err) {
		case "":
			probes.Add(1)
		case posthorn.Conflict:
			conflicts.Add(1)
		}
	})
	require.EqualValues(t, 1, probes.Load())
	require.EqualValues(t, 29, conflicts.Load())
}

func TestEventIDsAreUniqueAcrossReplicas(t *testing.T) {
	t.Parallel()
	_, stores := replicas(t, 2)
	var made, conflicts atomic.Int32
	atOnce(40, func(i int) {
		m := message("app_1")
		m.EventID = fmt.Sprint("event ", i/2%5)
		switch posthorn.CodeOf(stores[i%2].CreateMessage(t.Context(), m)) {
		case "":
			made.Add(1)
		case posthorn.Conflict:
			conflicts.Add(1)
		}
	})
	require.EqualValues(t, 5, made.Load())
	require.EqualValues(t, 35, conflicts.Load())
}

// ask runs a statement on a connection of its own.
func ask(t testing.TB, url, text string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), text, args...)
	require.NoError(t, err)
}

// read reads a stream to its end.
func read(t *testing.T, s *Store, from store.Position) (ids []string, next store.Position) {
	t.Helper()
	for {
		part, err := s.Stream(t.Context(), "app_1", from, store.StreamFilter{}, 7)
		require.NoError(t, err)
		for _, m := range part.Messages {
			ids = append(ids, m.ID)
		}
		from = part.Next
		if part.Done {
			return ids, from
		}
	}
}

func TestStreamWhileReplicasWrite(t *testing.T) {
	t.Parallel()
	_, stores := replicas(t, 3)
	const n = 300
	made := make([]string, n)
	written := make(chan struct{})
	var failed atomic.Int32
	go func() {
		defer close(written)
		atOnce(20, func(worker int) {
			for i := worker; i < n; i += 20 {
				<-time.After(time.Duration(rand.IntN(int(5 * time.Millisecond))))
				m := message("app_1")
				made[i] = m.ID
				if stores[i%2].CreateMessage(context.Background(), m) != nil {
					failed.Add(1)
				}
			}
		})
	}()
	var got []string
	var at store.Position
	for done := false; !done; {
		select {
		case <-written:
			done = true
		default:
		}
		ids, next := read(t, stores[2], at)
		got, at = append(got, ids...), next
	}
	require.Zero(t, failed.Load())
	require.ElementsMatch(t, made, got, "each once")
}

func TestStreamHoldsBackWhatIsBehindAnOpenTransaction(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t).Database(t) // an open transaction holds back the streams of a whole server
	require.NoError(t, Migrate(t.Context(), url, quiet))
	s := open(t, url)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	slow, err := conn.Begin(t.Context())
	require.NoError(t, err)
	early := posthorn.MessageID.New()
	_, err = slow.Exec(t.Context(), "INSERT INTO message (seq, id, app_id, event_type, created_at) VALUES (numbers_now(), $1, 'app_1', 'a', 1)", early)
	require.NoError(t, err)
	late := message("app_1")
	require.NoError(t, s.CreateMessage(t.Context(), late))

	ids, at := read(t, s, store.Position{})
	require.Empty(t, ids, "what would be missed otherwise")
	require.NoError(t, slow.Commit(t.Context()))
	ids, _ = read(t, s, at)
	require.Equal(t, []string{early, late.ID}, ids)
}

func TestNumbersGoOnInACopyOfTheDatabase(t *testing.T) {
	t.Parallel()
	url, stores := replicas(t, 1)
	before := message("app_1")
	require.NoError(t, stores[0].CreateMessage(t.Context(), before))
	ask(t, url, "UPDATE message SET seq = seq + (1000000::bigint << 20)") // as on a server that has seen a million transactions more
	require.NoError(t, stores[0].Close())

	opened, problems := make([]*Store, 4), make([]error, 4)
	atOnce(len(opened), func(i int) { opened[i], problems[i] = Open(t.Context(), Options{URL: url, Connections: 4}) })
	require.NoError(t, errors.Join(problems...))
	for _, s := range opened {
		defer func() { require.NoError(t, s.Close()) }()
	}
	after := message("app_1")
	require.NoError(t, opened[0].CreateMessage(t.Context(), after))
	var ids []string
	require.Eventually(t, func() bool { // transactions of other tests hold up the stream
		ids, _ = read(t, opened[1], store.Position{})
		return len(ids) == 2
	}, time.Minute, time.Millisecond)
	require.Equal(t, []string{before.ID, after.ID}, ids)
	ask(t, url, "DO $$ BEGIN ASSERT (SELECT base FROM numbering) < 1100000, 'more than one has moved it'; END $$")
}

// TestNoDeadlocks does on two replicas at the same time what locks much in different orders.
func TestNoDeadlocks(t *testing.T) {
	t.Parallel()
	url, stores := replicas(t, 2)
	ctx := t.Context()
	app := posthorn.Application{ID: posthorn.ApplicationID.New(), OrgID: "org"}
	require.NoError(t, stores[0].CreateApplication(ctx, app))
	var endpoints []posthorn.Endpoint
	for i := range 4 {
		ep := posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: app.ID, UID: fmt.Sprint(i), Ordered: i == 0, MaxInFlight: i}
		require.NoError(t, stores[0].CreateEndpoint(ctx, ep))
		endpoints = append(endpoints, ep)
	}
	var messages []posthorn.Message
	for range 30 {
		m := message(app.ID)
		m.OrderingKey = "key"
		require.NoError(t, stores[0].CreateMessage(ctx, m))
		messages = append(messages, m)
	}
	var problems sync.Map
	atOnce(24, func(worker int) {
		s := stores[worker%2]
		for range 25 {
			m, ep := messages[rand.IntN(len(messages))], endpoints[rand.IntN(len(endpoints))]
			var err error
			switch rand.IntN(8) {
			case 0, 1:
				var as []posthorn.Attempt
				for _, i := range rand.Perm(len(endpoints)) {
					as = append(as, attempt(m, endpoints[i].ID, rand.IntN(2) == 0))
				}
				_, err = s.Record(ctx, store.Record{MessageID: m.ID, AppID: m.AppID, Attempts: as, Ordered: []string{endpoints[0].ID}, Dispatched: true})
			case 2:
				_, err = s.Record(ctx, store.Record{MessageID: m.ID, AppID: m.AppID, Waiting: []posthorn.Delivery{{
					MessageID: m.ID, AppID: m.AppID, EndpointID: ep.ID, Waits: posthorn.WaitOrder,
				}}, Ordered: []string{endpoints[0].ID}})
			case 3:
				_, err = s.Release(ctx, ep.ID, posthorn.Waits(), time.Now(), 20)
			case 4:
				_, err = s.UpdateEndpoint(ctx, app.ID, ep.UID, func(e *posthorn.Endpoint) error { e.ThrottleRate = rand.IntN(5) + 1; return nil })
			case 5:
				_, err = s.UpdateApplication(ctx, "org", app.ID, func(a *posthorn.Application) error { a.ThrottleRate = rand.IntN(9); return nil })
			case 6:
				_, err = s.Land(ctx, ep.ID, m.ID, time.Now(), time.Now().Add(time.Minute))
			case 7:
				_, err = s.CancelMessage(ctx, app.ID, m.ID, time.Now())
			}
			if err != nil {
				problems.Store(err.Error(), true)
			}
		}
	})
	problems.Range(func(problem, _ any) bool { t.Error(problem); return true })
	var deadlocks int
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	require.NoError(t, conn.QueryRow(ctx, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").Scan(&deadlocks))
	require.Zero(t, deadlocks)
}

func TestALostConnectionIsUnavailableAndComesBack(t *testing.T) {
	t.Parallel()
	url, stores := replicas(t, 1)
	s := stores[0]
	require.NoError(t, s.CreateMessage(t.Context(), message("app_1")))
	ask(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	for {
		err := s.CreateMessage(t.Context(), message("app_1"))
		if err == nil {
			break
		}
		require.Equal(t, posthorn.Unavailable, posthorn.CodeOf(err), "%v", err)
	}
	require.Eventually(t, func() bool { return s.Ping(t.Context()) == nil }, time.Minute, time.Millisecond)
}
