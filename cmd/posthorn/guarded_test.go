package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/nettest"
)

// temporalKey is an API key as Temporal Cloud gives them out.
const temporalKey = "k3y-of-the-hooks"

// guard stands in front of a Temporal server as Temporal Cloud's entrance does: TLS only, for clients with a certificate of its
// authority, and every call has to carry the API key.
type guard struct {
	*httptest.Server
	authority *nettest.Authority
	calls     atomic.Int64
}

func newGuard(t *testing.T, temporal string) *guard {
	t.Helper()
	plain := new(http.Transport)
	plain.Protocols = new(http.Protocols)
	plain.Protocols.SetUnencryptedHTTP2(true)
	proxy := &httputil.ReverseProxy{
		Transport: plain, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", temporal
			r.Out.Header.Set("Te", "trailers")
		},
	}
	g := &guard{authority: nettest.NewAuthority(t)}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+temporalKey {
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", "16") // unauthenticated
			w.Header().Set("Grpc-Message", "no such key")
			return
		}
		g.calls.Add(1)
		proxy.ServeHTTP(w, r)
	}))
	g.EnableHTTP2 = true
	g.TLS = &tls.Config{
		Certificates: []tls.Certificate{g.authority.Issue(t, nil)},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: g.authority.Pool(),
	}
	g.Config.ErrorLog = proxy.ErrorLog
	g.StartTLS()
	t.Cleanup(func() {
		g.CloseClientConnections()
		g.Close()
		plain.CloseIdleConnections()
	})
	return g
}

// papers writes the authority's certificate, and a certificate of an authority with its key, and returns the variables that name
// the files.
func (g *guard) papers(t *testing.T, issuer *nettest.Authority) (settings []string) {
	t.Helper()
	dir := t.TempDir()
	write := func(variable, name string, content []byte) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		settings = append(settings, variable+"="+path)
	}
	certificate := issuer.Issue(t, nil)
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	require.NoError(t, err)
	write("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "ca.pem", g.authority.PEM())
	write("TEMPORAL_TLS_CLIENT_CERT_PATH", "client.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}))
	write("TEMPORAL_TLS_CLIENT_KEY_PATH", "client.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	return settings
}

func TestTemporalBehindMutualTLSAndAKey(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	g := newGuard(t, s.temporal)
	s.temporal = g.Listener.Addr().String()
	papers := g.papers(t, g.authority)

	for name, settings := range map[string][]string{
		"no TLS":                     nil,
		"a key alone":                {"TEMPORAL_API_KEY=" + temporalKey},
		"another's certificate":      append(g.papers(t, nettest.NewAuthority(t)), "TEMPORAL_API_KEY="+temporalKey),
		"a certificate, and no key":  papers,
		"a certificate, a wrong key": append(papers[:len(papers):len(papers)], "TEMPORAL_API_KEY=wr0ng"),
	} {
		t.Run(name, func(t *testing.T) {
			refused := *s
			refused.settings = settings
			migrating := refused.migrate(t)
			require.NotZero(t, migrating.Code)
			require.Contains(t, migrating.Stderr.String(), "Temporal at "+s.temporal)
			require.NotContains(t, migrating.Stderr.String(), temporalKey)
			require.Zero(t, g.calls.Load())
		})
	}

	s.settings = append(papers, "TEMPORAL_API_KEY="+temporalKey)
	migrated := s.migrate(t)
	require.Zero(t, migrated.Code, "%s", migrated.Stderr)
	require.Contains(t, migrated.Stdout.String(), "made the namespace hooks")
	r := s.replica(t, "serve")
	r.sendRefused(t)
	require.Zero(t, r.Stop(t), "%s", r.Stderr)
	require.NotContains(t, r.Stdout.String()+r.Stderr.String(), temporalKey)
}
