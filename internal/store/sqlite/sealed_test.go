package sqlite

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/seal"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/storetest"
	"github.com/posthorn/posthorn/signing"
)

func box(t *testing.T, secret string) *seal.Box {
	t.Helper()
	b, err := seal.New([]byte(secret), "store")
	require.NoError(t, err)
	return b
}

func TestSealedStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, Options{Box: box(t, "a main secret")}) })
}

func secretEndpoint() posthorn.Endpoint {
	return posthorn.Endpoint{
		ID: posthorn.EndpointID.New(), AppID: "app_1", URL: "https://example.com",
		Secrets: []posthorn.Secret{{Key: signing.NewSymmetricKey()}, {Key: signing.NewAsymmetricKey()}},
		Headers: map[string]string{"X-Key": "the value of the header"},
	}
}

// requireHidden looks for an endpoint's secrets in all bytes of the database.
func requireHidden(t *testing.T, path string, hidden bool, eps ...posthorn.Endpoint) {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	var all []byte
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		all = append(all, content...)
	}
	for _, ep := range eps {
		require.True(t, bytes.Contains(all, []byte(ep.ID)))
		var looked []string
		for _, value := range ep.Headers {
			looked = append(looked, value)
		}
		for _, s := range ep.Secrets {
			looked = append(looked, s.Key.Reveal()[5:])
		}
		for _, secret := range looked {
			require.Equal(t, !hidden, bytes.Contains(all, []byte(secret)), files)
		}
	}
}

func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "posthorn.db")
	clear, sealed := secretEndpoint(), secretEndpoint()
	with := func(b *seal.Box, use func(s *Store)) error {
		s, err := Open(t.Context(), Options{Path: path, Box: b})
		if err != nil {
			return err
		}
		use(s)
		return s.Close()
	}
	requireReadable := func(s *Store, eps ...posthorn.Endpoint) {
		t.Helper()
		for _, want := range eps {
			got, err := s.Endpoint(t.Context(), "app_1", want.ID)
			require.NoError(t, err)
			require.Equal(t, want.Headers, got.Headers)
			for i := range want.Secrets {
				require.True(t, want.Secrets[i].Key.Equal(got.Secrets[i].Key))
			}
		}
	}

	require.NoError(t, with(nil, func(s *Store) {
		require.NoError(t, s.CreateEndpoint(t.Context(), clear))
		requireHidden(t, path, false, clear)
	}))
	require.NoError(t, with(box(t, "a main secret"), func(s *Store) {
		requireHidden(t, path, true, clear)
		requireReadable(s, clear)
		require.NoError(t, s.CreateEndpoint(t.Context(), sealed))
		_, err := s.UpdateEndpoint(t.Context(), "app_1", sealed.ID, func(e *posthorn.Endpoint) error {
			e.Description = "changed"
			return nil
		})
		require.NoError(t, err)
		requireHidden(t, path, true, clear, sealed) // in the log too, which is not written back yet
		requireReadable(s, clear, sealed)
	}))
	requireHidden(t, path, true, clear, sealed)

	require.ErrorIs(t, with(nil, nil), store.ErrSealed)
	require.ErrorIs(t, with(box(t, "another secret"), nil), store.ErrOtherSecret)
	require.NoError(t, with(box(t, "a main secret"), func(s *Store) { requireReadable(s, clear, sealed) }))
}

func TestSecretsOfPollersAreSealed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "posthorn.db")
	p := posthorn.Poller{ID: posthorn.PollerID.New(), AppID: "app_1", Secrets: []posthorn.Secret{{Key: signing.NewSymmetricKey()}}}
	clear, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	_, err = clear.CreatePoller(t.Context(), p)
	require.NoError(t, err)
	require.NoError(t, clear.Close())
	in := posthorn.Endpoint{ID: p.ID, Secrets: p.Secrets}
	requireHidden(t, path, false, in)

	sealed, err := Open(t.Context(), Options{Path: path, Box: box(t, "a main secret")})
	require.NoError(t, err)
	requireHidden(t, path, true, in)
	got, err := sealed.Poller(t.Context(), p.AppID, p.ID)
	require.NoError(t, err)
	require.True(t, p.Secrets[0].Key.Equal(got.Secrets[0].Key))
	require.NoError(t, sealed.Close())
}

func TestSealedSecretsAreBoundToTheirRow(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Box: box(t, "a main secret")})
	mine, other := secretEndpoint(), secretEndpoint()
	require.NoError(t, s.CreateEndpoint(t.Context(), mine))
	require.NoError(t, s.CreateEndpoint(t.Context(), other))
	_, err := s.file.conn.ExecContext(t.Context(), "UPDATE endpoint SET secrets = (SELECT secrets FROM endpoint WHERE id = ?) WHERE id = ?", other.ID, mine.ID)
	require.NoError(t, err)
	_, err = s.Endpoint(t.Context(), "app_1", mine.ID)
	require.ErrorIs(t, err, seal.ErrDamaged)
	require.False(t, strings.Contains(err.Error(), "whsec_"))
	require.Equal(t, posthorn.Internal, posthorn.CodeOf(err))
}

func TestOpenClaimsAreDropped(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	for _, c := range []store.Claim{{ID: []byte("open"), Owner: "me"}, {ID: []byte("answered"), Owner: "me"}, {ID: []byte("settled"), Messages: []string{"m"}}} {
		c.Fingerprint, c.CreatedAt = []byte("f"), time.Now()
		c.ExpiresAt = c.CreatedAt.Add(posthorn.MinRetention)
		require.NoError(t, s.CreateClaim(t.Context(), c))
		if string(c.ID) == "answered" {
			c.Answer = []byte("a")
			require.NoError(t, s.AnswerClaim(t.Context(), c))
		}
	}
	require.NoError(t, s.DropOpenClaims(t.Context()))
	for id, kept := range map[string]bool{"open": false, "answered": true, "settled": true} {
		_, err := s.Claim(t.Context(), []byte(id), time.Now())
		require.Equal(t, kept, err == nil, id)
	}
}
