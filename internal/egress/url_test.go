package egress

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPublicURLAndLabel(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ raw, public, label string }{
		{"https://example.com", "https://example.com", "example.com"},
		{"https://example.com/", "https://example.com/", "example.com"},
		{"https://user:secret@example.com:8443/a/b?token=secret#secret", "https://example.com:8443/a/b", "example.com:8443/a/b"},
		{"HTTP://example.com/a%2Fb", "http://example.com/a%2Fb", "example.com/a%2Fb"},
		{"http://example.com/é\x00", "", ""},
		{"http://example.com/é<", "http://example.com/%C3%A9%3C", "example.com/%C3%A9%3C"},
		{"http://[::1]:80/x", "http://[::1]:80/x", "[::1]:80/x"},
		{"ftp://user:secret@example.com/", "", ""},
		{"https://user:secret@/path", "", ""},
		{"https://user:secret@exa mple.com/", "", ""},
		{"mailto:secret@example.com", "", ""},
		{"/relative", "", ""},
		{"", "", ""},
	} {
		t.Run(tc.raw, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.public, PublicURL(tc.raw))
			require.Equal(t, tc.label, Label(tc.raw))
		})
	}
}

func TestPostToInvalidURL(t *testing.T) {
	t.Parallel()
	c := newClient(t, Options{})
	for raw, message := range map[string]string{
		"":                                  "the URL is neither http nor https",
		"example.com/hook":                  "the URL is neither http nor https",
		"ftp://user:hunter2@example.com":    "the URL is neither http nor https",
		"file:///etc/passwd":                "the URL is neither http nor https",
		"http://":                           "the URL names no host",
		"http://user:hunter2@:80/":          "the URL names no host",
		"http://user:hunter2@localhost:0/":  "the URL has a port outside 1 to 65535",
		"http://user:hunter2@local:65536/":  "the URL has a port outside 1 to 65535",
		"http://user:hunter2@local:port/":   "the URL is malformed",
		"http://user:hunter2@[::1/?hunter2": "the URL is malformed",
		"http://user:hunter2@host\n/":       "the URL is malformed",
	} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			result := post(t, c, raw)
			require.Equal(t, InvalidURL, result.Class)
			require.Equal(t, message, result.Message)
			require.Zero(t, result.Status)
			require.False(t, result.Success())
		})
	}
}
