package posthorn_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestFailingAfter(t *testing.T) {
	t.Parallel()
	for attempts, want := range map[int]int{1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 10: 4} {
		schedule := posthorn.Schedule(slices.Repeat([]time.Duration{time.Second}, attempts-1))
		require.Equal(t, want, schedule.FailingAfter(), "of %d", attempts)
	}
}

func TestDisablingNotice(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("", 3600))
	app, ep := posthorn.Application{ID: "app_1"}, posthorn.Endpoint{ID: "ep_1", AppID: "app_1", UID: "main"}
	told, err := json.Marshal(posthorn.DisablingNotice(&app, &ep, since, since.Add(time.Hour)))
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"endpoint.disabling-soon","data":{"appId":"app_1","appUid":null,"endpointId":"ep_1","endpointUid":"main",
		"failSince":"2026-03-01T12:00:00Z","disableAt":"2026-03-01T13:00:00Z"}}`, string(told))
}

func TestEndpointNoticesKnowSinceWhenItFails(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	before := posthorn.Endpoint{ID: "ep_1", AppID: "app_1", URL: "https://example.com/s3cret", Headers: map[string]string{"Authorization": "s3cret"}}
	after := before
	after.SetDisabled(true, "it has failed for 5 days")
	notices := posthorn.EndpointNotices(&posthorn.Application{}, &before, &after, since)
	require.Len(t, notices, 2)
	told, err := json.Marshal(notices[1])
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"endpoint.disabled","data":{"appId":"app_1","appUid":null,"endpointId":"ep_1","endpointUid":null,
		"trigger":"automatic","reason":"it has failed for 5 days","failSince":"2026-03-01T12:00:00Z"}}`, string(told))
	require.False(t, strings.Contains(string(told), "s3cret"))
}

func TestOperationalOrganisations(t *testing.T) {
	t.Parallel()
	require.False(t, posthorn.IsOperational(posthorn.DefaultOrg))
	require.True(t, posthorn.IsOperational(posthorn.OperationalOrg(posthorn.DefaultOrg)))
}
