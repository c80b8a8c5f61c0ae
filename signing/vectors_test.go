package signing_test

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/signing"
)

// vector is a signature that other implementations of the specification publish.
type vector struct {
	name      string
	key       string
	public    string
	id        string
	unix      int64
	payload   string
	signature string
}

var vectors = []vector{
	{
		name:      "the vector of most verification libraries",
		key:       "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		public:    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		id:        "msg_p5jXN8AQM9LWM0D4loKWxJek",
		unix:      1614265330,
		payload:   `{"test": 2432232314}`,
		signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
	},
	{
		name:      "the vector of the Rust library",
		key:       "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
		public:    "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
		id:        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
		unix:      1649367553,
		payload:   `{"email":"test@example.com","username":"test_user"}`,
		signature: "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
	},
	{
		name:      "the asymmetric vector",
		key:       "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
		public:    "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
		id:        "msg_p5jXN8AQM9LWM0D4loKWxJek",
		unix:      1614265330,
		payload:   `{"test": 2432232314}`,
		signature: "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
	},
}

func (v vector) at() time.Time { return time.Unix(v.unix, 0) }

func (v vector) headers() http.Header { return headers(v.id, v.at(), v.signature) }

func headers(id string, at time.Time, signature string) http.Header {
	h := http.Header{}
	h.Set(signing.HeaderID, id)
	h.Set(signing.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(signing.HeaderSignature, signature)
	return h
}

func parse(t testing.TB, s string) signing.Key {
	t.Helper()
	key, err := signing.ParseKey(s)
	require.NoError(t, err)
	return key
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			key := parse(t, v.key)

			signature, err := signing.Sign(v.id, v.at(), []byte(v.payload), key)
			require.NoError(t, err)
			require.Equal(t, v.signature, signature)

			require.Equal(t, v.public, key.Public())
			require.NoError(t, signing.Verify(v.headers(), []byte(v.payload), v.at(), key))
			require.NoError(t, signing.Verify(v.headers(), []byte(v.payload), v.at(), parse(t, v.public)))
		})
	}
}

func TestVectorWithShortKey(t *testing.T) {
	t.Parallel()
	v := vector{
		key:       "whsec_plJ3nmyCDGBKInavdOK15jsl",
		id:        "msg_loFOjxBNrRLzqYUf",
		unix:      1731705121,
		payload:   `{"event_type":"ping","data":{"success":true}}`,
		signature: "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
	}

	t.Run("the 18 bytes of the Svix manual are too short a key", func(t *testing.T) {
		t.Parallel()
		_, err := signing.ParseKey(v.key)
		require.ErrorIs(t, err, signing.ErrInvalidKey)
	})

	t.Run("its signature is right all the same", func(t *testing.T) {
		t.Parallel()
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(v.key, "whsec_"))
		require.NoError(t, err)
		key := signing.SymmetricKeyOfAnySize(raw)

		signature, err := signing.Sign(v.id, v.at(), []byte(v.payload), key)
		require.NoError(t, err)
		require.Equal(t, v.signature, signature)
		require.NoError(t, signing.Verify(v.headers(), []byte(v.payload), v.at(), key))
	})
}
