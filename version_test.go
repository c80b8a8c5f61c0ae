package posthorn_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	sorted := []string{
		"0.9", "01", "1", "v1", "1-beta", "1.2", "v1.10", "2", "V3", "9", "v10", "99999999999999999998", "99999999999999999999",
	}
	shuffled := slices.Clone(sorted)
	for range 100 {
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		slices.SortFunc(shuffled, posthorn.CompareVersions)
		require.Equal(t, sorted, shuffled)
	}
	require.Negative(t, posthorn.CompareVersions("2025-12-01", "2026-01-15"))
	require.Negative(t, posthorn.CompareVersions("2026-01-15", "2026-02-01"))
	require.Positive(t, posthorn.CompareVersions("vintage", "v2"))
	require.Zero(t, posthorn.CompareVersions("2", "2"))
}

func TestPayloadFor(t *testing.T) {
	t.Parallel()
	m := &posthorn.Message{
		EventType: "order.created", Payload: []byte("three"), PayloadVersion: "3",
		Variants: map[string][]byte{"1": []byte("one"), "2": []byte("two"), "gone": nil},
	}
	for _, c := range []struct {
		name             string
		endpoint         posthorn.Endpoint
		payload, version string
	}{
		{"an endpoint that pins nothing gets what the sender chose", posthorn.Endpoint{}, "three", "3"},
		{"a pinned version that the message has is sent", posthorn.Endpoint{PayloadVersion: "1"}, "one", "1"},
		{"so is the version of the payload itself", posthorn.Endpoint{PayloadVersion: "3"}, "three", "3"},
		{"a pinned version that it hasn't is not", posthorn.Endpoint{PayloadVersion: "7"}, "three", "3"},
		{"nor one whose bytes are gone", posthorn.Endpoint{PayloadVersion: "gone"}, "three", "3"},
		{
			"what is pinned for the event type goes before what is pinned for all",
			posthorn.Endpoint{PayloadVersion: "1", PayloadVersions: map[string]string{"order.created": "2"}}, "two", "2",
		},
		{
			"what is pinned for another event type doesn't matter",
			posthorn.Endpoint{PayloadVersions: map[string]string{"order.paid": "2"}}, "three", "3",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			payload, version := m.PayloadFor(&c.endpoint)
			require.Equal(t, c.payload, string(payload))
			require.Equal(t, c.version, version)
		})
	}
}

func TestAMessageForOneEndpointIsWantedByThatOneOnly(t *testing.T) {
	t.Parallel()
	m := &posthorn.Message{EventType: "svix.ping", OnlyEndpoint: "ep_1"}
	require.True(t, (&posthorn.Endpoint{ID: "ep_1", EventTypes: []string{"other"}, Channels: []string{"c"}}).Wants(m))
	require.False(t, (&posthorn.Endpoint{ID: "ep_2"}).Wants(m))
}

func TestFeatureFlags(t *testing.T) {
	t.Parallel()
	require.True(t, (&posthorn.EventType{}).VisibleWith(nil))
	beta := &posthorn.EventType{FeatureFlags: []string{"alpha", "beta"}}
	require.False(t, beta.VisibleWith(nil))
	require.False(t, beta.VisibleWith([]string{"gamma"}))
	require.True(t, beta.VisibleWith([]string{"gamma", "beta"}))
}
