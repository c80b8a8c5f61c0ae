package main_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMainSecret looks for secrets in every byte of the database, and starts it with the wrong secret.
func TestMainSecret(t *testing.T) {
	t.Parallel()
	const header = "marker-of-a-header"
	file := filepath.Join(t.TempDir(), "main-secret")
	require.NoError(t, os.WriteFile(file, []byte("the main secret of this test\n"), 0o600))
	s := newServer(t)
	s.createApp(t)
	r := newReceiver(t, nil)
	before, secretBefore := s.createEndpoint(t, r.URL) // in the clear so far
	require.True(t, bytes.Contains(contents(t, s.dir, "posthorn.db*"), []byte(secretBefore)))
	require.Zero(t, s.Stop(t))

	plain := s.args
	s.args = append(plain[:len(plain):len(plain)], "--main-secret-file", file)
	s.restart()
	s.waitReady()
	id, secret := s.createEndpoint(t, r.URL)
	s.do(t, http.MethodPut, "/app/acme/endpoint/"+id+"/headers", `{"headers":{"X-Api-Key":"`+header+`","X-Partner":"`+header+`"}}`, nil)
	message := s.send(t, `{"n":1}`)
	verifyAll := func(n int) {
		t.Helper()
		carried := 0
		for _, request := range r.wait(t, n)[n-2:] {
			if request.header.Get("X-Api-Key") == header {
				carried++
				request.verify(t, secret)
			} else {
				request.verify(t, secretBefore)
			}
		}
		require.Equal(t, 1, carried)
	}
	verifyAll(2)
	look := func() {
		t.Helper()
		database := contents(t, s.dir, "*.db*")
		for _, known := range []string{message, id, before} {
			require.True(t, bytes.Contains(database, []byte(known)))
		}
		for _, hidden := range []string{secret, secretBefore, header, "the main secret"} {
			require.False(t, bytes.Contains(database, []byte(strings.TrimPrefix(hidden, "whsec_"))), hidden)
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		require.NoError(t, err)
		require.False(t, bytes.Contains(database, raw))
		require.NotContains(t, s.Stderr.String(), "the main secret")
	}
	look()
	require.Zero(t, s.Stop(t))
	look()

	refused := func(p *process, why ...string) {
		t.Helper()
		require.Equal(t, 2, p.Wait(t), "%s", p.Stderr)
		require.Empty(t, p.Stdout.String())
		lines := p.Stderr.Lines() // before the last, a slow machine may say that it is starting
		for _, words := range why {
			require.Contains(t, lines[len(lines)-1], words)
		}
	}
	refused(start(t, plain...), "--main-secret is missing", "encrypted")
	other := start(t, append(plain[:len(plain):len(plain)], "--main-secret", "another secret, not the one")...)
	refused(other, "--main-secret is wrong", "another main secret")
	require.NotContains(t, other.Stderr.String(), "not the one")
	requireRefused(t, start(t, append(plain[:len(plain):len(plain)], "--main-secret-file", file+"-nowhere")...), "--main-secret-file "+file+"-nowhere", "no such file")

	s.args = append(plain[:len(plain):len(plain)], "--main-secret", "the main secret of this test")
	s.restart()
	s.waitReady()
	s.send(t, `{"n":2}`)
	verifyAll(4)
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
}
