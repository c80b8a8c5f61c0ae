package signing_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/signing"
)

// rawBytes returns what stands behind the prefix of a serialised key, decoded.
func rawBytes(t *testing.T, key signing.Key) []byte {
	t.Helper()
	_, encoded, _ := strings.Cut(key.Reveal(), "_")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	return raw
}

var payloads = map[string][]byte{
	"an empty payload":       nil,
	"a small payload":        []byte(`{"type":"invoice.paid","data":{"id":1}}`),
	"a payload of any bytes": {0, '.', 0xFF, '\n', 0xC3, 0x28},
	"a payload of 1 MiB":     bytes.Repeat([]byte("0123456789abcdef"), 1<<16),
}

func TestSign(t *testing.T) {
	t.Parallel()
	at := time.Unix(1700000000, 999)

	for name, payload := range payloads {
		t.Run(name+" satisfies the official library", func(t *testing.T) {
			t.Parallel()
			for _, key := range []signing.Key{
				signing.NewSymmetricKey(), parse(t, serialise("whsec_", 24)), parse(t, serialise("whsec_", 75)),
			} {
				official, err := standardwebhooks.NewWebhook(key.Reveal())
				require.NoError(t, err)

				now := time.Now()
				signature, err := signing.Sign("msg_1", now, payload, key)
				require.NoError(t, err)
				require.NoError(t, official.Verify(payload, headers("msg_1", now, signature)))

				theirs, err := official.Sign("msg_1", now, payload)
				require.NoError(t, err)
				require.NoError(t, signing.Verify(headers("msg_1", now, theirs), payload, now, key))
			}
		})

		t.Run(name+" satisfies crypto/ed25519", func(t *testing.T) {
			t.Parallel()
			key := signing.NewAsymmetricKey()
			signature, err := signing.Sign("msg_1", at, payload, key)
			require.NoError(t, err)
			encoded, ok := strings.CutPrefix(signature, "v1a,")
			require.True(t, ok)
			decoded, err := base64.StdEncoding.DecodeString(encoded)
			require.NoError(t, err)

			public := ed25519.PublicKey(rawBytes(t, parse(t, key.Public())))
			message := append([]byte("msg_1."+strconv.FormatInt(at.Unix(), 10)+"."), payload...)
			require.True(t, ed25519.Verify(public, message, decoded))
		})
	}

	t.Run("several keys give one signature each, in their order", func(t *testing.T) {
		t.Parallel()
		payload := payloads["a small payload"]
		keys := []signing.Key{
			signing.NewAsymmetricKey(), signing.NewSymmetricKey(), signing.NewAsymmetricKey(), signing.NewSymmetricKey(),
		}
		var alone []string
		for _, key := range keys {
			signature, err := signing.Sign("msg_1", at, payload, key)
			require.NoError(t, err)
			alone = append(alone, signature)
		}

		together, err := signing.Sign("msg_1", at, payload, keys...)
		require.NoError(t, err)
		require.Equal(t, strings.Join(alone, " "), together)
		for _, key := range keys {
			require.NoError(t, signing.Verify(headers("msg_1", at, together), payload, at, key))
		}
	})

	t.Run("a key that can't sign fails the whole call", func(t *testing.T) {
		t.Parallel()
		public := parse(t, vectors[2].public)
		for reason, keys := range map[string][]signing.Key{
			"no key to sign message msg_1":         nil,
			"key 1 of 1: the key is empty":         {{}},
			"key 2 of 2: a public key can only ve": {signing.NewSymmetricKey(), public},
		} {
			signature, err := signing.Sign("msg_1", at, nil, keys...)
			require.ErrorIs(t, err, signing.ErrInvalidKey)
			require.ErrorContains(t, err, reason)
			require.Empty(t, signature)
			requireNoTrace(t, public.Reveal(), err.Error())
		}
	})

	t.Run("an id that makes the signed text ambiguous is refused", func(t *testing.T) {
		t.Parallel()
		for _, id := range []string{"", "msg_1.1700000000"} {
			_, err := signing.Sign(id, at, nil, signing.NewSymmetricKey())
			require.ErrorContains(t, err, strconv.Quote(id))
		}
	})

	t.Run("goroutines share keys without mixing up messages", func(t *testing.T) {
		t.Parallel()
		keys := []signing.Key{signing.NewSymmetricKey(), signing.NewAsymmetricKey()}
		var group sync.WaitGroup
		for worker := range 8 {
			group.Go(func() {
				for n := range 50 {
					id := "msg_" + strconv.Itoa(worker*50+n)
					payload := bytes.Repeat([]byte(id), n)
					signature, err := signing.Sign(id, at, payload, keys...)
					if err == nil {
						err = signing.Verify(headers(id, at, signature), payload, at, keys[n%2])
					}
					if err != nil {
						t.Errorf("message %s: %v", id, err)
					}
				}
			})
		}
		group.Wait()
	})
}

func BenchmarkSign(b *testing.B) {
	payload := bytes.Repeat([]byte("x"), 1<<10)
	at := time.Unix(1700000000, 0)
	symmetric, asymmetric := signing.NewSymmetricKey(), signing.NewAsymmetricKey()
	for _, bench := range []struct {
		name string
		keys []signing.Key
	}{
		{"symmetric", []signing.Key{symmetric}},
		{"asymmetric", []signing.Key{asymmetric}},
		{"both", []signing.Key{symmetric, asymmetric}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				if _, err := signing.Sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", at, payload, bench.keys...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
