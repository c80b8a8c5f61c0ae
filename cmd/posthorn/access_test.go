package main_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// keyFiles writes a fresh Ed25519 key in PEM, and its public half.
func keyFiles(t *testing.T) (private, public string) {
	t.Helper()
	publicKey, privateKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(privateKey)
	require.NoError(t, err)
	pkix, err := x509.MarshalPKIXPublicKey(publicKey)
	require.NoError(t, err)
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	return write("private.pem", "PRIVATE KEY", pkcs8), write("public.pem", "PUBLIC KEY", pkix)
}

// TestAccess runs a server with keys of the operator's, and takes tokens away again.
func TestAccess(t *testing.T) {
	t.Parallel()
	private, public := keyFiles(t)
	keys := []string{"--jwt-algorithm", "EdDSA", "--jwt-key-file"}
	s := newServer(t, append(keys, private, "--rate-limit-token", "0.001:40")...)
	require.NoFileExists(t, filepath.Join(s.dir, "jwt-secret"), "nothing is signed with it")
	s.createApp(t)
	at := append([]string{"--server", s.url, "--data-dir", s.dir}, append(keys, private)...)

	status := func(token, path string) int {
		t.Helper()
		as := s.api
		as.token = token
		got, _, err := as.call(t.Context(), http.MethodGet, path, "")
		require.NoError(t, err)
		return got
	}
	token := func(flags ...string) string {
		t.Helper()
		made := run(t, append(append([]string{"token"}, flags...), at...)...)
		require.Zero(t, made.Code, "%s", made.Stderr)
		return strings.TrimSpace(made.Stdout.String())
	}
	reader, customer := token("--read-only", "--expires", "1h"), token("--app", "acme")
	require.Equal(t, http.StatusOK, status(reader, "/app"))
	require.Equal(t, http.StatusOK, status(customer, "/app/acme"))
	require.Equal(t, http.StatusForbidden, status(customer, "/app"))

	// The link for a customer leads to a page of this server.
	var access struct{ URL, Token string }
	s.do(t, http.MethodPost, "/auth/app-portal-access/acme", `{"readOnly":true}`, &access)
	require.True(t, strings.HasPrefix(access.URL, s.url+"/"), access.URL)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, access.URL, nil)
	require.NoError(t, err)
	page, err := s.http.Do(request)
	require.NoError(t, err)
	require.NoError(t, page.Body.Close())
	require.Equal(t, http.StatusOK, page.StatusCode)

	// Revoked is revoked, also after the process has been killed.
	for _, which := range [][]string{{reader}, {"--app", "acme"}} {
		revoked := run(t, append(append([]string{"revoke"}, which...), at...)...)
		require.Zero(t, revoked.Code, "%s", revoked.Stderr)
		require.Equal(t, "revoked\n", revoked.Stdout.String())
	}
	require.Equal(t, http.StatusOK, status(token("--app", "acme"), "/app/acme"), "one made later is good")
	for range 2 {
		for _, gone := range []string{reader, customer, access.Token} {
			require.Equal(t, http.StatusUnauthorized, status(gone, "/app/acme"))
		}
		s.Kill()
		s.restart()
		s.waitReady()
	}

	// The limit holds, for each token by itself.
	busy := token()
	for range 40 {
		require.Equal(t, http.StatusOK, status(busy, "/app"))
	}
	require.Equal(t, http.StatusTooManyRequests, status(busy, "/app"))
	require.Equal(t, http.StatusOK, status(token(), "/app"))

	// A public key is enough for a server, and not for making tokens.
	made := run(t, append([]string{"token"}, append(keys, public)...)...)
	require.Equal(t, 1, made.Code)
	require.Equal(t, "posthorn: making a token: only a public key is set, which verifies tokens but can't make them\n", made.Stderr.String())
	require.Empty(t, made.Stdout.String())
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	private, _ := keyFiles(t)
	short := filepath.Join(t.TempDir(), "short")
	require.NoError(t, os.WriteFile(short, []byte("s3cret"), 0o600))
	for name, c := range map[string]struct {
		algorithm, file, why string
	}{
		"a file that there is not":            {"EdDSA", "nowhere.pem", "--jwt-key-file nowhere.pem: no such file or directory"},
		"a folder":                            {"EdDSA", ".", "--jwt-key-file .: is a directory"},
		"a key of another kind":               {"RS256", private, "PEM block 1: RS256 needs an RSA key"},
		"a key pair where a secret should be": {"HS256", private, "a PEM key is not a secret for HS256"},
		"a secret where a key pair should be": {"EdDSA", short, "there is something that is not a PEM block"},
		"a secret that is too short":          {"HS512", short, "has 6 bytes and HS512 needs at least 64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "dev", "--data-dir", t.TempDir(), "--listen", "127.0.0.1:0", "--temporal-listen", "127.0.0.1:0",
				"--temporal-ui-listen", "off", "--jwt-algorithm", c.algorithm, "--jwt-key-file", c.file)
			requireRefused(t, p, c.why)
			require.NotContains(t, p.Stderr.String(), "s3cret")
		})
	}
}
