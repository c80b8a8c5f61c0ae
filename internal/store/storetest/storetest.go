// Package storetest is the conformance suite of the store: every implementation passes it, and it knows none of them.
package storetest

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/signing"
)

// Run tests an implementation. open returns a fresh, empty store and closes it when its test ends; a store that is
// closed already must take that.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"applications", applicationTests()},
		{"endpoints", endpointTests()},
		{"event types", eventTypeTests()},
		{"catalogue", catalogueTests()},
		{"messages", messageTests()},
		{"variants", variantTests()},
		{"claims", claimTests()},
		{"records", recordTests()},
		{"deliveries", deliveryTests()},
		{"waiting", waitingTests()},
		{"cancelling", cancelTests()},
		{"limits", limitTests()},
		{"healths", healthTests()},
		{"fan-outs", fanoutTests()},
		{"order", orderTests()},
		{"retiming", retimeTests()},
		{"attempts", attemptTests()},
		{"streams", streamTests()},
		{"pollers", pollerTests()},
		{"consumers", consumerTests()},
		{"attempt statistics", attemptStatisticsTests()},
		{"paging", pagingTests()},
		{"tasks", taskTests()},
		{"replays", replayTests()},
		{"contents", contentTests()},
		{"retention", retentionTests()},
		{"retention and readers", retentionReaderTests()},
		{"revocations", revocationTests()},
		{"notices", noticeTests()},
		{"lifecycle", lifecycleTests()},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					test.run(t, open(t))
				})
			}
		})
	}
}

// test is a sentence about stores and its proof.
type test struct {
	name string
	run  func(t *testing.T, s store.Store)
}

// noon is a moment for data: a store keeps times to the microsecond.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC) }

// idAt returns the identifier of a kind that sorts first among those of noon plus that many minutes.
func idAt(kind posthorn.IDKind, minute int) string { return kind.Floor(at(minute)) }

func at(minute int) time.Time {
	return noon().Truncate(time.Millisecond).Add(time.Duration(minute) * time.Minute)
}

func application(uid string) posthorn.Application {
	return posthorn.Application{
		ID: posthorn.ApplicationID.New(), OrgID: posthorn.DefaultOrg, UID: uid, Name: "Acme \"∆\" <co>", ThrottleRate: 7,
		Metadata: map[string]string{"tier": "gold", "": "empty key"}, CreatedAt: noon(), UpdatedAt: noon().Add(time.Second),
	}
}

func endpoint(appID, uid string) posthorn.Endpoint {
	return posthorn.Endpoint{
		ID: posthorn.EndpointID.New(), AppID: appID, UID: uid, URL: "https://hooks.example.com/in?x=1", Description: "the main one",
		EventTypes: []string{"invoice.paid", "invoice.sent"}, Channels: []string{"eu"}, ThrottleRate: 3,
		Metadata: map[string]string{"team": "billing"}, Headers: map[string]string{"Authorization": "Bearer s3cret"},
		RetrySchedule:  &posthorn.Schedule{1500 * time.Millisecond, 36 * time.Hour},
		PayloadVersion: "2", PayloadVersions: map[string]string{"invoice.paid": "1"},
		Secrets: []posthorn.Secret{
			{Key: signing.NewSymmetricKey()},
			{Key: signing.NewAsymmetricKey(), ExpiresAt: noon().Add(time.Hour)},
		},
		CreatedAt: noon(), UpdatedAt: noon().Add(time.Second),
	}
}

func eventType(name string) posthorn.EventType {
	return posthorn.EventType{
		Name: name, OrgID: posthorn.DefaultOrg, Description: "what " + name + " means", CreatedAt: noon(), UpdatedAt: noon(),
	}
}

func message(appID, eventID string) posthorn.Message {
	return posthorn.Message{
		ID: posthorn.MessageID.New(), AppID: appID, EventID: eventID, EventType: "invoice.paid", Channels: []string{"eu", "vip"}, Tags: []string{"batch/7"},
		Payload: []byte(`{"amount":1}`), CreatedAt: noon(), ExpiresAt: noon().AddDate(1000, 0, 0), // whatever the clock says
	}
}

func attempt(m posthorn.Message, endpointID string) posthorn.Attempt {
	return posthorn.Attempt{
		ID: posthorn.AttemptID.New(), MessageID: m.ID, AppID: m.AppID, EndpointID: endpointID, EventType: m.EventType,
		Trigger: posthorn.Automatic, URL: "https://hooks.example.com/in", StartedAt: noon(), Duration: 812345 * time.Microsecond,
		Status: 503, Header: map[string][]string{"Retry-After": {"5"}, "Via": {"a", "b"}}, Body: []byte("overloaded"),
		Truncated: true, ErrorClass: "status", Message: "503 Service Unavailable after 812 ms",
	}
}

func succeeded(a posthorn.Attempt) posthorn.Attempt {
	a.Success, a.Status, a.ErrorClass, a.Message, a.NextAt = true, 200, "", "200 OK after 12 ms", time.Time{}
	return a
}

func retried(a posthorn.Attempt) posthorn.Attempt {
	a.NextAt = noon().Add(time.Hour)
	return a
}

func manual(a posthorn.Attempt) posthorn.Attempt {
	a.Trigger = posthorn.Manual
	return a
}

// record stores facts about a message; the test ends where that fails.
func record(t *testing.T, s store.Store, m posthorn.Message, r store.Record) []posthorn.Attempt {
	t.Helper()
	r.MessageID, r.AppID = m.ID, m.AppID
	attempts, err := s.Record(t.Context(), r)
	require.NoError(t, err)
	return attempts
}

func createMessage(t *testing.T, s store.Store, m posthorn.Message) posthorn.Message {
	t.Helper()
	require.NoError(t, s.CreateMessage(t.Context(), m))
	return m
}

func requireCode(t *testing.T, want posthorn.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, want, posthorn.CodeOf(err), "error: %v", err)
}

// together runs f n times at once and returns the errors.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	running.Wait()
	return errs
}

func numbered(prefix string, i int) string { return prefix + strconv.Itoa(i) }
