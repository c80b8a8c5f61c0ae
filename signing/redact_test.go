package signing_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/signing"
)

func TestKeysAreRedacted(t *testing.T) {
	t.Parallel()

	// Without exported fields, fmt and slog can't call the methods of what is inside.
	type sealed struct{ key signing.Key }
	type record struct {
		Key  signing.Key
		Ptr  *signing.Key
		Keys []signing.Key
	}

	for _, test := range []struct {
		name     string
		key      signing.Key
		redacted string
	}{
		{"a symmetric key", parse(t, vectors[0].key), "whsec_…(redacted)"},
		{"a private key", parse(t, vectors[2].key), "whsk_…(redacted)"},
		{"a public key", parse(t, vectors[2].public), "whpk_…(redacted)"},
		{"no key", signing.Key{}, "(no key)"},
	} {
		key := test.key
		nested := record{Key: key, Ptr: &key, Keys: []signing.Key{key}}
		values := map[string]any{
			"itself": key, "a pointer": &key, "a record": nested, "a pointer to a record": &nested,
			"a slice": nested.Keys, "a sealed struct": sealed{key}, "a pointer to a sealed struct": &sealed{key},
		}

		requireRedacted := func(t *testing.T, text string) {
			t.Helper()
			requireNoTrace(t, key.Reveal(), text)
			requireNoBytes(t, key, text)
		}

		t.Run(test.name+" prints as its kind", func(t *testing.T) {
			t.Parallel()
			for _, verb := range []string{"%v", "%+v", "%s"} {
				require.Equal(t, test.redacted, fmt.Sprintf(verb, key))
				require.Equal(t, test.redacted, fmt.Sprintf(verb, &key))
			}
			require.Equal(t, "signing.Key("+test.redacted+")", fmt.Sprintf("%#v", key))
		})

		t.Run(test.name+" is safe under every verb and in every wrapping", func(t *testing.T) {
			t.Parallel()
			for wrapping, value := range values {
				for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%b", "%o", "%c", "%U", "%p"} {
					t.Log(wrapping, verb)
					requireRedacted(t, fmt.Sprintf(verb, value))
				}
			}
		})

		t.Run(test.name+" is safe in JSON and XML", func(t *testing.T) {
			t.Parallel()
			out, err := json.Marshal(key)
			require.NoError(t, err)
			require.Equal(t, `"`+test.redacted+`"`, string(out))
			for _, value := range values {
				out, err := json.Marshal(value)
				require.NoError(t, err)
				requireRedacted(t, string(out))
			}
			out, err = xml.Marshal(nested)
			require.NoError(t, err)
			requireRedacted(t, string(out))
		})

		t.Run(test.name+" is safe in logs", func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				for _, value := range values {
					slog.New(handler).Info("made a key", "key", value)
				}
			}
			require.Contains(t, out.String(), test.redacted)
			requireRedacted(t, out.String())
		})
	}
}

// requireNoBytes fails if text holds the first bytes of the key in hexadecimal, or as the numbers fmt makes of bytes.
func requireNoBytes(t *testing.T, key signing.Key, text string) {
	t.Helper()
	raw := rawBytes(t, key)
	if len(raw) < 4 {
		return
	}
	for _, format := range []string{"%x", "%X", "% x", "%d", "%#v", "%o", "%b", "%s"} {
		start := fmt.Sprintf(format, raw[:4])
		require.NotContains(t, text, strings.Trim(start, "[]{}"))
	}
}
