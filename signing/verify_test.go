package signing_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/signing"
)

func TestVerifyHeaders(t *testing.T) {
	t.Parallel()
	v := vectors[0]
	key := parse(t, v.key)

	for _, header := range []string{signing.HeaderID, signing.HeaderTimestamp, signing.HeaderSignature} {
		t.Run("a request without "+header+" is refused", func(t *testing.T) {
			t.Parallel()
			absent, empty := v.headers(), v.headers()
			absent.Del(header)
			empty.Set(header, "")
			for _, h := range []http.Header{absent, empty} {
				err := signing.Verify(h, []byte(v.payload), v.at(), key)
				require.ErrorIs(t, err, signing.ErrMissingHeader)
				require.ErrorContains(t, err, header)
			}
		})
	}

	for name, timestamp := range map[string]string{
		"a word":                   "yesterday",
		"a fraction":               "1614265330.5",
		"a number with a space":    " 1614265330",
		"a number beyond 64 bits":  "99999999999999999999",
		"a negative number":        "-1614265330",
		"the least of all numbers": strconv.Itoa(math.MinInt64),
		"the largest number":       strconv.Itoa(math.MaxInt64),
		"milliseconds":             "1614265330000",
	} {
		t.Run(name+" as timestamp is refused", func(t *testing.T) {
			t.Parallel()
			h := v.headers()
			h.Set(signing.HeaderTimestamp, timestamp)
			require.ErrorIs(t, signing.Verify(h, []byte(v.payload), v.at(), key), signing.ErrTimestamp)
		})
	}

	t.Run("the timestamp may be five minutes off and no more", func(t *testing.T) {
		t.Parallel()
		const second = time.Second
		for _, offset := range []time.Duration{0, -signing.Tolerance, signing.Tolerance} {
			require.NoError(t, signing.Verify(v.headers(), []byte(v.payload), v.at().Add(offset), key))
		}
		err := signing.Verify(v.headers(), []byte(v.payload), v.at().Add(signing.Tolerance+second), key)
		require.ErrorIs(t, err, signing.ErrTimestamp)
		require.ErrorContains(t, err, "past")
		err = signing.Verify(v.headers(), []byte(v.payload), v.at().Add(-signing.Tolerance-second), key)
		require.ErrorIs(t, err, signing.ErrTimestamp)
		require.ErrorContains(t, err, "future")
	})
}

func TestVerifySignatures(t *testing.T) {
	t.Parallel()
	v := vectors[0]
	private := parse(t, vectors[2].key)
	asymmetric := vectors[2].signature
	other, err := signing.Sign(v.id, v.at(), []byte(v.payload), signing.NewSymmetricKey(), signing.NewAsymmetricKey())
	require.NoError(t, err)

	for name, signature := range map[string]string{
		"the signature of another key":         other,
		"an empty signature":                   "v1,",
		"an empty asymmetric signature":        "v1a,",
		"the start of the signature":           v.signature[:len("v1,")+8],
		"the start of an asymmetric signature": asymmetric[:len("v1a,")+8],
		"more than the signature":              v.signature + "A",
		"a signature without version":          strings.TrimPrefix(v.signature, "v1,"),
		"the right bytes, unknown version":     "v2," + strings.TrimPrefix(v.signature, "v1,"),
		"a symmetric signature as v1a":         "v1a," + strings.TrimPrefix(v.signature, "v1,"),
		"an asymmetric signature as v1":        "v1," + strings.TrimPrefix(asymmetric, "v1a,"),
		"only spaces":                          "   ",
		"only commas":                          ",,, , v1 v1a",
		"signatures separated by commas":       "v1,AAAA," + v.signature,
		"an asymmetric signature cut by CR LF": asymmetric[:20] + "\r\n" + asymmetric[20:],
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			t.Parallel()
			h := headers(v.id, v.at(), signature)
			err := signing.Verify(h, []byte(v.payload), v.at(), parse(t, v.key), private, parse(t, private.Public()))
			require.ErrorIs(t, err, signing.ErrNoMatch)
		})
	}

	for name, signature := range map[string]string{
		"the third of several signatures":    other + " " + v.signature,
		"the first of several signatures":    v.signature + " " + other,
		"a signature after unknown versions": "v0,AAAA v2,??? nonsense  " + v.signature,
		"an asymmetric one after a v1":       other + " v9,AAAA " + asymmetric,
	} {
		t.Run(name+" is enough", func(t *testing.T) {
			t.Parallel()
			h := headers(v.id, v.at(), signature)
			require.NoError(t, signing.Verify(h, []byte(v.payload), v.at(), private, parse(t, v.key)))
		})
	}

	for _, v := range []vector{vectors[0], vectors[2]} {
		t.Run("a change to what was signed is noticed: "+v.name, func(t *testing.T) {
			t.Parallel()
			key := parse(t, v.public)
			payload := []byte(v.payload)
			require.ErrorIs(t, signing.Verify(v.headers(), append(payload, ' '), v.at(), key), signing.ErrNoMatch)
			require.ErrorIs(t, signing.Verify(v.headers(), nil, v.at(), key), signing.ErrNoMatch)
			require.ErrorIs(t, signing.Verify(headers("msg_2", v.at(), v.signature), payload, v.at(), key), signing.ErrNoMatch)
			later := headers(v.id, v.at().Add(time.Second), v.signature)
			require.ErrorIs(t, signing.Verify(later, payload, v.at(), key), signing.ErrNoMatch)
		})
	}

	t.Run("no key and the zero key verify nothing", func(t *testing.T) {
		t.Parallel()
		require.ErrorIs(t, signing.Verify(v.headers(), []byte(v.payload), v.at()), signing.ErrInvalidKey)
		require.ErrorIs(t, signing.Verify(v.headers(), []byte(v.payload), v.at(), signing.Key{}), signing.ErrInvalidKey)
	})
}

func FuzzVerify(f *testing.F) {
	secret, key := vectors[0], parse(f, vectors[0].key)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret.key, "whsec_"))
	require.NoError(f, err)

	f.Add(secret.id, strconv.FormatInt(secret.unix, 10), secret.signature, []byte(secret.payload))
	f.Add(secret.id, strconv.FormatInt(secret.unix, 10), "v0,AAAA "+secret.signature, []byte(secret.payload))
	f.Add(secret.id, strconv.FormatInt(secret.unix, 10), vectors[2].signature, []byte(secret.payload))
	f.Add(secret.id, "+1614265330", secret.signature, []byte(secret.payload))
	f.Add("", "", "", []byte(nil))
	f.Add(".", "-0", "v1, v1a, ,", []byte("."))
	f.Fuzz(func(t *testing.T, id, timestamp, signatures string, payload []byte) {
		h := http.Header{}
		h.Set(signing.HeaderID, id)
		h.Set(signing.HeaderTimestamp, timestamp)
		h.Set(signing.HeaderSignature, signatures)
		err := signing.Verify(h, payload, secret.at(), key)

		// The same rule in another way: fresh, and one of the signatures is the one and only right one.
		mac := hmac.New(sha256.New, raw)
		mac.Write([]byte(id + "." + timestamp + "." + string(payload)))
		right := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		at, numErr := strconv.ParseInt(timestamp, 10, 64)
		fresh := numErr == nil && at >= secret.unix-300 && at <= secret.unix+300
		accept := id != "" && fresh && slices.Contains(strings.Split(signatures, " "), right)
		require.Equal(t, accept, err == nil, "%v", err)
	})
}
