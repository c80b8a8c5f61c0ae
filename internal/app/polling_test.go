package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
)

// polled is the answer of a poll, payloads as they stand in it.
type polled struct {
	Data []struct {
		ID        string
		EventType string
		Payload   json.RawMessage
		Headers   map[string]string
	}
	Iterator string
	Done     bool
}

func (b *bundle) poll(path string) polled {
	b.t.Helper()
	status, body := b.request(http.MethodGet, path, "")
	require.Equal(b.t, http.StatusOK, status, "%s", body)
	var got polled
	require.NoError(b.t, json.Unmarshal(body, &got), "%s", body)
	return got
}

// A poller, a consumer and the plain stream read while many callers post and deliveries go on.
func TestPollingWhileMessagesArrive(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const wanted, unwanted = "polling.wanted", "polling.unwanted"
	for _, name := range []string{wanted, unwanted} {
		_, err := b.svix.EventType.Create(b.ctx, &svix.EventTypeIn{Name: name, Description: "d"})
		require.NoError(t, err)
	}
	rec := newReceiver(t, nil)
	b.endpoint(svix.EndpointIn{Url: rec.URL})
	b.send(wanted, `{"n":"before the poller was made"}`)
	status, body := b.request(http.MethodPost, "/poller", `{"uid":"archive","eventTypes":["`+wanted+`"]}`)
	require.Equal(t, http.StatusCreated, status, "%s", body)
	status, body = b.request(http.MethodGet, "/poller/archive/secret", "")
	require.Equal(t, http.StatusOK, status, "%s", body)
	var secret struct{ Key string }
	require.NoError(t, json.Unmarshal(body, &secret))
	wh, err := standardwebhooks.NewWebhook(secret.Key)
	require.NoError(t, err)

	const posters, each = 6, 20
	var posting sync.WaitGroup
	accepted := make(chan string, posters*each)
	for p := range posters {
		posting.Go(func() {
			for i := range each {
				eventType := wanted
				if (p+i)%3 == 0 {
					eventType = unwanted
				}
				id := b.send(eventType, fmt.Sprintf(`{ "poster": %d, "n": %d }`, p, i))
				if eventType == wanted {
					accepted <- id
				}
			}
		})
	}
	go func() {
		posting.Wait()
		close(accepted)
	}()

	readers := map[string]string{"a poller": "/poller/archive?limit=7", "a consumer": "/poller/archive/consumer/worker-1?limit=7", "the stream": "/events?limit=7&event_types=" + wanted}
	seen := map[string]map[string]int{}
	iterators := map[string]string{}
	for reader := range readers {
		seen[reader] = map[string]int{}
	}
	read := func() {
		for reader, path := range readers {
			for done := false; !done; {
				from := path
				if iterators[reader] != "" {
					from += "&iterator=" + iterators[reader]
				}
				got := b.poll(from)
				iterators[reader], done = got.Iterator, got.Done
				for _, m := range got.Data {
					require.Equal(t, wanted, m.EventType)
					seen[reader][m.ID]++
					if reader == "the stream" {
						require.Empty(t, m.Headers)
						continue
					}
					headers := http.Header{}
					for name, value := range m.Headers {
						headers.Set(name, value)
					}
					require.NoError(t, wh.Verify(m.Payload, headers), "%s", m.Payload)
				}
			}
		}
	}
	ids := map[string]bool{}
	for over := false; !over; {
		read()
		select {
		case id, open := <-accepted:
			if over = !open; open {
				ids[id] = true
			}
		case <-time.After(30 * time.Second):
			require.Fail(t, "the posters are stuck")
		}
	}
	read()
	for reader, messages := range seen {
		extra := 0
		if reader == "the stream" {
			extra = 1 // from before the poller was made
		}
		require.Len(t, messages, len(ids)+extra, reader)
		for id := range ids {
			require.Equal(t, 1, messages[id], "%s by %s", id, reader)
		}
	}
	require.Empty(t, b.poll("/poller/archive/consumer/worker-1").Data, "everything is acknowledged")

	// Polling is beside delivering, and what was delivered counts.
	rec.wait(t, posters*each+1)
	require.Eventually(t, func() bool {
		status, body := b.request(http.MethodGet, "/stats/attempts?since="+time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)+
			"&until="+time.Now().UTC().Format(time.RFC3339Nano), "")
		require.Equal(t, http.StatusOK, status, "%s", body)
		var stats struct {
			TotalSuccess int                              `json:"total_success"`
			ByEventType  map[string]struct{ Success int } `json:"by_event_type"`
		}
		require.NoError(t, json.Unmarshal(body, &stats))
		return stats.TotalSuccess == posters*each+1 && stats.ByEventType[wanted].Success == len(ids)+1
	}, patience, 50*time.Millisecond)
}
