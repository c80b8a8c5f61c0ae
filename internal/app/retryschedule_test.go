package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/posthorn/posthorn"
)

func TestRetrySchedules(t *testing.T) {
	t.Parallel()
	b := setup(t)
	type place struct {
		*receiver
		id       string
		attempts int // that the schedule allows
	}
	put := func(path, body string) {
		t.Helper()
		status, answer := b.above(http.MethodPut, path, body)
		require.Equal(t, http.StatusOK, status, "%s", answer)
	}
	endpoint := func(attempts int, own string, answer func(http.ResponseWriter, *http.Request, int)) place {
		t.Helper()
		r := newReceiver(t, answer)
		ep := b.endpoint(svix.EndpointIn{Url: r.URL})
		if own != "" {
			put("/app/"+b.appID+"/endpoint/"+ep.Id+"/retry-schedule", own)
		}
		return place{r, ep.Id, attempts}
	}
	const wait = `{"secs":0,"nanos":300000000}`
	eventType := strings.ToLower("type." + b.appID)
	status, answer := b.above(http.MethodPost, "/event-type", `{"name":"`+eventType+`","description":"d"}`)
	require.Equal(t, http.StatusCreated, status, "%s", answer)

	inherits := endpoint(4, "", always(500))
	own := endpoint(2, `{"retrySchedule":[`+wait+`]}`, always(500))
	longer := endpoint(6, `{"retrySchedule":[`+strings.Repeat(wait+",", 4)+wait+`]}`, always(500))
	once := endpoint(1, `{"retrySchedule":[]}`, always(500))
	good := endpoint(1, "", nil)
	recovers := endpoint(3, "", func(w http.ResponseWriter, _ *http.Request, n int) {
		if n%3 != 0 { // every third attempt, and so the last of each message, is taken
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	all := []place{inherits, own, longer, once, good, recovers}
	taken := []string{good.id, recovers.id}

	// sent sends a message, waits until nothing is to come any more, and holds every endpoint to its number of attempts.
	sent := func() {
		t.Helper()
		before := map[string]int{}
		for _, p := range all {
			before[p.id] = len(p.all())
		}
		id := b.send(eventType, `{}`)
		require.Eventually(t, func() bool {
			final := 0
			for _, d := range b.destinations(id) {
				if d.State == posthorn.Delivered || d.State == posthorn.Failed {
					final++
				}
			}
			return final == len(all)
		}, patience, 50*time.Millisecond)
		for _, d := range b.destinations(id) {
			want := posthorn.Failed
			if d.ID == taken[0] || d.ID == taken[1] {
				want = posthorn.Delivered
			}
			require.Equal(t, want, d.State, d.ID)
			require.Nil(t, d.NextAttempt)
		}
		require.Error(t, b.temporal().GetWorkflow(b.ctx, id, "").Get(b.ctx, nil), "its workflow has ended: it sends nothing more")
		made := map[string][]attempt{}
		for _, a := range b.attempts(id) {
			made[a.EndpointID] = append(made[a.EndpointID], a)
		}
		for _, p := range all {
			require.Len(t, p.all(), before[p.id]+p.attempts)
			require.Len(t, made[p.id], p.attempts)
			for i, a := range made[p.id] {
				require.Equal(t, i+1, a.AttemptNumber)
				last := i+1 == p.attempts
				require.Equal(t, last, a.NextAttempt == nil)
				if !last || p.id != taken[0] && p.id != taken[1] {
					require.Equal(t, 500, a.ResponseStatusCode)
				}
			}
		}
	}

	sent()
	// The event type's schedule holds from the next message on, where the endpoint has none of its own.
	put("/event-type/"+eventType+"/retry-schedule", `{"retrySchedule":[`+wait+","+wait+`]}`)
	all[0].attempts = 3
	sent()
	put("/event-type/"+eventType+"/retry-schedule", `{"retrySchedule":null}`)
	put("/app/"+b.appID+"/endpoint/"+own.id+"/retry-schedule", `{"retrySchedule":null}`)
	all[0].attempts, all[1].attempts = 4, 4
	sent()
}

// What waits for hours comes at once when the schedule becomes a quick one, and ends when it becomes an empty one.
func TestChangeOfScheduleForWhatWaits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	put := func(path, body string) {
		t.Helper()
		status, answer := b.above(http.MethodPut, path, body)
		require.Equal(t, http.StatusOK, status, "%s", answer)
	}
	eventType := strings.ToLower("type." + b.appID)
	status, answer := b.above(http.MethodPost, "/event-type", `{"name":"`+eventType+`","description":"d"}`)
	require.Equal(t, http.StatusCreated, status, "%s", answer)
	ofType := "/event-type/" + eventType + "/retry-schedule"
	put(ofType, `{"retrySchedule":[{"secs":36000,"nanos":0},{"secs":36000,"nanos":0}]}`)
	ends := func(n int) func(http.ResponseWriter, *http.Request, int) {
		return func(w http.ResponseWriter, _ *http.Request, i int) {
			if i < n {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}
	}
	r := newReceiver(t, ends(3))
	ep := b.endpoint(svix.EndpointIn{Url: r.URL})
	ofEndpoint := "/app/" + b.appID + "/endpoint/" + ep.Id + "/retry-schedule"
	id := b.send(eventType, `{}`)
	waiting := func(attempts int) {
		t.Helper()
		require.Eventually(t, func() bool {
			d := b.destinations(id)
			return len(d) == 1 && d[0].State == posthorn.Retrying && d[0].Attempts == attempts && time.Until(*d[0].NextAttempt) > 7*time.Hour
		}, patience, 20*time.Millisecond)
	}
	waiting(1)
	put(ofType, `{"retrySchedule":[{"secs":0,"nanos":1000000},{"secs":36000,"nanos":0}]}`)
	r.wait(t, 2)
	waiting(2)
	put(ofEndpoint, `{"retrySchedule":[{"secs":36000,"nanos":0},{"secs":0,"nanos":1000000}]}`)
	b.waitState(id, posthorn.Delivered)
	require.Len(t, r.all(), 3)

	put(ofEndpoint, `{"retrySchedule":[{"secs":36000,"nanos":0}]}`)
	require.NoError(t, b.svix.Endpoint.Delete(b.ctx, b.appID, ep.Id))
	dead := newReceiver(t, always(500))
	ep = b.endpoint(svix.EndpointIn{Url: dead.URL})
	ofEndpoint = "/app/" + b.appID + "/endpoint/" + ep.Id + "/retry-schedule"
	put(ofEndpoint, `{"retrySchedule":[{"secs":36000,"nanos":0}]}`)
	id = b.send(eventType, `{}`)
	waiting(1)
	require.Eventually(t, func() bool { // until Temporal keeps the timer: who sleeps is woken
		described, err := b.temporal().DescribeWorkflowExecution(b.ctx, id, "")
		require.NoError(t, err)
		pending := described.GetPendingActivities()
		return len(pending) == 1 && pending[0].GetLastFailure() != nil
	}, patience, 50*time.Millisecond)
	put(ofEndpoint, `{"retrySchedule":[]}`)
	require.Equal(t, "the retry schedule was shortened: no attempt is left", b.waitState(id, posthorn.Failed).Reason)
	require.ErrorContains(t, b.temporal().GetWorkflow(b.ctx, id, "").Get(b.ctx, nil), "the retry schedule was shortened")
	require.Len(t, dead.all(), 1)
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	// asks answers the first request with 503 and what it asks for.
	asks := func(t *testing.T, value func() string) *receiver {
		return newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				w.Header().Set("Retry-After", value())
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
	}
	for name, c := range map[string]struct {
		value func() string
		least time.Duration
	}{
		"seconds":               {func() string { return "2" }, 2 * time.Second},
		"a fraction of seconds": {func() string { return "1.2" }, 2 * time.Second},
		"a date":                {func() string { return time.Now().Add(4 * time.Second).UTC().Format(http.TimeFormat) }, 3 * time.Second},
		"a date as in mail":     {func() string { return time.Now().Add(4 * time.Second).UTC().Format(time.RFC1123Z) }, 3 * time.Second},
	} {
		t.Run(name+" is waited for", func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			r := asks(t, c.value)
			b.endpoint(svix.EndpointIn{Url: r.URL})
			id := b.send("a", `{}`)
			requests := r.wait(t, 2)
			require.GreaterOrEqual(t, requests[1].at.Sub(requests[0].at), c.least)
			b.waitState(id, posthorn.Delivered)
		})
	}

	t.Run("two minutes are honoured in full at the first attempt, whatever the schedule", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		r := asks(t, func() string { return "120" })
		b.endpoint(svix.EndpointIn{Url: r.URL})
		began := time.Now()
		id := b.send("a", `{}`)
		next := b.waitState(id, posthorn.Retrying).NextAttempt
		require.NotNil(t, next)
		require.GreaterOrEqual(t, next.Sub(began), 2*time.Minute-time.Millisecond, "the API shows milliseconds")
		require.Equal(t, next, b.attempts(id)[0].NextAttempt)
	})
}
