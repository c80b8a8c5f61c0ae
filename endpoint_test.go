package posthorn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/signing"
)

func TestEndpointWants(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		eventTypes, channels []string
		message              posthorn.Message
		want                 bool
	}{
		"everything without filters":                    {nil, nil, posthorn.Message{EventType: "a"}, true},
		"its event types":                               {[]string{"a", "b"}, nil, posthorn.Message{EventType: "b"}, true},
		"no other event type":                           {[]string{"a"}, nil, posthorn.Message{EventType: "a.b"}, false},
		"messages of its channels":                      {nil, []string{"x", "y"}, posthorn.Message{Channels: []string{"y"}}, true},
		"no message of other channels":                  {nil, []string{"x"}, posthorn.Message{Channels: []string{"y"}}, false},
		"no message without channels if it has some":    {nil, []string{"x"}, posthorn.Message{}, false},
		"messages of any channel if it has none":        {nil, nil, posthorn.Message{Channels: []string{"y"}}, true},
		"only what fits both its filters: wrong type":   {[]string{"a"}, []string{"x"}, posthorn.Message{EventType: "b", Channels: []string{"x"}}, false},
		"only what fits both its filters: both correct": {[]string{"a"}, []string{"x"}, posthorn.Message{EventType: "a", Channels: []string{"x"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ep := posthorn.Endpoint{EventTypes: c.eventTypes, Channels: c.channels}
			require.Equal(t, c.want, ep.Wants(&c.message))
		})
	}
}

func TestRotateSecret(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	first, second := signing.NewSymmetricKey(), signing.NewSymmetricKey()

	t.Run("the replaced secret signs on until its grace ends", func(t *testing.T) {
		t.Parallel()
		ep := posthorn.Endpoint{Secrets: []posthorn.Secret{{Key: first}}}
		require.NoError(t, ep.RotateSecret(second, time.Hour, now))
		require.Equal(t, []signing.Key{second, first}, ep.SigningKeys(now))
		require.Equal(t, []signing.Key{second}, ep.SigningKeys(now.Add(time.Hour)))
	})

	t.Run("without grace it stops at once", func(t *testing.T) {
		t.Parallel()
		ep := posthorn.Endpoint{Secrets: []posthorn.Secret{{Key: first}}}
		require.NoError(t, ep.RotateSecret(second, 0, now))
		require.Equal(t, []signing.Key{second}, ep.SigningKeys(now))
	})

	t.Run("ten can be in their grace, an eleventh can't, until one has ended", func(t *testing.T) {
		t.Parallel()
		ep := posthorn.Endpoint{Secrets: []posthorn.Secret{{Key: first}}}
		for range posthorn.MaxOldSecrets {
			require.NoError(t, ep.RotateSecret(signing.NewSymmetricKey(), time.Hour, now))
		}
		err := ep.RotateSecret(signing.NewSymmetricKey(), time.Hour, now)
		require.Equal(t, posthorn.LimitReached, posthorn.CodeOf(err))
		require.Len(t, ep.Secrets, 11, "a refused rotation changes nothing")
		require.NoError(t, ep.RotateSecret(signing.NewSymmetricKey(), time.Hour, now.Add(2*time.Hour)))
	})
}
