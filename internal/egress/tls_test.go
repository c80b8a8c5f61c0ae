package egress

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/nettest"
)

func TestPostOverTLS(t *testing.T) {
	t.Parallel()
	ca := nettest.NewAuthority(t)
	accept := func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Proto", r.Proto) }

	t.Run("HTTP/2 is spoken where offered", func(t *testing.T) {
		t.Parallel()
		server := nettest.TLS(t, ca.Issue(t, nil), accept)
		c := newClient(t, Options{RootCAs: ca.Pool()})
		result := post(t, c, server.URL)
		require.True(t, result.Success(), result.Message)
		require.Equal(t, "HTTP/2.0", result.Header.Get("X-Proto"))
		require.Equal(t, server.Listener.Addr().String(), result.RemoteAddr)
		require.Positive(t, result.Timings.TLS)
		require.Positive(t, result.Timings.FirstByte)

		again := post(t, c, server.URL)
		require.True(t, again.Success(), again.Message)
		require.Equal(t, server.Listener.Addr().String(), again.RemoteAddr)
		require.Zero(t, again.Timings.TLS, "the connection was not used again")
	})

	for _, tc := range []struct {
		name, message string
		change        func(*x509.Certificate)
		roots         *x509.CertPool
	}{
		{"an expired certificate", "TLS: certificate has expired", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, ca.Pool()},
		{"a certificate of the future", "TLS: certificate is not valid yet", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, ca.Pool()},
		{"a certificate of an unknown authority", "TLS: certificate signed by unknown authority", nil, x509.NewCertPool()},
		{"a certificate of another host", "TLS: certificate is not valid for host", func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"other.test"}
		}, ca.Pool()},
		{"a certificate for another purpose", "TLS: certificate is not valid", func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
		}, ca.Pool()},
	} {
		t.Run(tc.name+" is refused, and accepted only if told not to verify", func(t *testing.T) {
			t.Parallel()
			server := nettest.TLS(t, ca.Issue(t, tc.change), accept)
			result := post(t, newClient(t, Options{RootCAs: tc.roots}), server.URL)
			require.Equal(t, TLS, result.Class)
			require.Equal(t, tc.message, result.Message)
			require.Zero(t, result.Status)
			require.False(t, result.Success())

			result = post(t, newClient(t, Options{SkipTLSVerify: true}), server.URL)
			require.True(t, result.Success(), result.Message)
		})
	}

	t.Run("a server without TLS is told from one that fails at it", func(t *testing.T) {
		t.Parallel()
		server := newServer(t, accept)
		result := post(t, newClient(t, Options{}), strings.Replace(server.URL, "http:", "https:", 1))
		require.Equal(t, TLS, result.Class)
		require.Equal(t, "TLS: the receiver does not speak TLS", result.Message)
	})

	t.Run("versions before 1.2 are not spoken", func(t *testing.T) {
		t.Parallel()
		certificate := ca.Issue(t, nil)
		url := nettest.Serve(t, func(conn *net.TCPConn, _ int) {
			_ = tls.Server(conn, &tls.Config{
				Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
			}).Handshake()
		})
		result := post(t, newClient(t, Options{RootCAs: ca.Pool()}), strings.Replace(url, "http:", "https:", 1))
		require.Equal(t, TLS, result.Class, result.Message)
		require.Equal(t, "TLS: the receiver says: protocol version not supported", result.Message)
	})

	t.Run("a hang-up in the handshake is a reset", func(t *testing.T) {
		t.Parallel()
		url := nettest.Serve(t, func(conn *net.TCPConn, _ int) { _, _ = conn.Read(make([]byte, 4096)) })
		result := post(t, newClient(t, Options{}), strings.Replace(url, "http:", "https:", 1))
		require.Equal(t, Reset, result.Class, result.Message)
		require.Contains(t, result.Message, "in the TLS handshake")
	})

	t.Run("silence in the handshake is a timeout", func(t *testing.T) {
		t.Parallel()
		url := nettest.Serve(t, silent)
		result := post(t, newClient(t, Options{Timeout: 2 * time.Second}), strings.Replace(url, "http:", "https:", 1))
		require.Equal(t, Timeout, result.Class, result.Message)
		require.Contains(t, result.Message, " in the TLS handshake")
	})
}
