package signing_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/signing"
)

func serialise(prefix string, size int) string {
	return prefix + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xA7}, size))
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	private := vectors[2].key

	for name, s := range map[string]string{
		"reads the shortest symmetric key":   serialise("whsec_", 24),
		"reads a symmetric key of 64 bytes":  serialise("whsec_", 64),
		"reads the longest symmetric key":    serialise("whsec_", 75),
		"reads a private key":                private,
		"reads the public key of that":       vectors[2].public,
		"reads a random new symmetric key":   signing.NewSymmetricKey().Reveal(),
		"reads a random new private key":     signing.NewAsymmetricKey().Reveal(),
		"reads the public key of a new pair": signing.NewAsymmetricKey().Public(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, s, parse(t, s).Reveal())
		})
	}

	for name, test := range map[string]struct{ key, reason string }{
		"refuses an empty string":                     {"", "must start with"},
		"refuses a secret without prefix":             {strings.TrimPrefix(vectors[0].key, "whsec_"), "must start with"},
		"refuses an unknown prefix":                   {serialise("whatever_", 32), "must start with"},
		"refuses a prefix in capitals":                {serialise("WHSEC_", 32), "must start with"},
		"refuses space around the key":                {" " + vectors[0].key, "must start with"},
		"refuses a prefix alone":                      {"whsec_", "24 to 75 bytes, this one has 0"},
		"refuses a symmetric key of 23 bytes":         {serialise("whsec_", 23), "24 to 75 bytes, this one has 23"},
		"refuses a symmetric key of 76 bytes":         {serialise("whsec_", 76), "24 to 75 bytes, this one has 76"},
		"refuses base64 without padding":              {strings.TrimRight(serialise("whsec_", 32), "="), "base64"},
		"refuses base64 with trailing bits":           {vectors[2].public[:47] + "5=", "base64"},
		"refuses the alphabet for URLs":               {strings.ReplaceAll(vectors[1].key, "+", "-"), "base64"},
		"refuses a line break inside":                 {vectors[0].key[:20] + "\n" + vectors[0].key[20:], "base64"},
		"refuses a line break at the end":             {vectors[0].key + "\n", "base64"},
		"refuses a seed without public half":          {serialise("whsk_", 32), "64 bytes, this one has 32"},
		"refuses a public half of another seed":       {serialise("whsk_", 64), "does not belong to its seed"},
		"refuses a public key of the wrong length":    {serialise("whpk_", 31), "32 bytes, this one has 31"},
		"refuses a private key under the public name": {"whpk_" + strings.TrimPrefix(private, "whsk_"), "32 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := signing.ParseKey(test.key)
			require.ErrorIs(t, err, signing.ErrInvalidKey)
			require.ErrorContains(t, err, test.reason)
			require.Zero(t, key)
			requireNoTrace(t, test.key, err.Error())
		})
	}
}

// requireNoTrace fails if text holds any eight characters in a row of what follows the prefix of a key.
func requireNoTrace(t *testing.T, serialised, text string) {
	t.Helper()
	_, encoded, ok := strings.Cut(serialised, "_")
	if !ok {
		encoded = serialised
	}
	for ; len(encoded) >= 8; encoded = encoded[1:] {
		require.NotContains(t, text, encoded[:8])
	}
}

func TestKey(t *testing.T) {
	t.Parallel()

	t.Run("new keys have their prefix and differ", func(t *testing.T) {
		t.Parallel()
		for prefix, newKey := range map[string]func() signing.Key{
			"whsec_": signing.NewSymmetricKey,
			"whsk_":  signing.NewAsymmetricKey,
		} {
			first, second := newKey(), newKey()
			require.True(t, strings.HasPrefix(first.Reveal(), prefix))
			require.NotEqual(t, first.Reveal(), second.Reveal())
			require.True(t, first.CanSign())
		}
	})

	t.Run("customers are shown the shared secret or the public key", func(t *testing.T) {
		t.Parallel()
		symmetric, private := signing.NewSymmetricKey(), signing.NewAsymmetricKey()
		require.Equal(t, symmetric.Reveal(), symmetric.Public())
		public := parse(t, private.Public())
		require.True(t, strings.HasPrefix(public.Reveal(), "whpk_"))
		require.Equal(t, public.Reveal(), public.Public())
		require.False(t, public.CanSign())
	})

	t.Run("keys are equal by what they hold", func(t *testing.T) {
		t.Parallel()
		symmetric, private := signing.NewSymmetricKey(), signing.NewAsymmetricKey()
		require.True(t, symmetric.Equal(parse(t, symmetric.Reveal())))
		require.False(t, symmetric.Equal(signing.NewSymmetricKey()))
		require.False(t, private.Equal(parse(t, private.Public())))
		require.False(t, symmetric.Equal(signing.Key{}))
		require.False(t, signing.Key{}.Equal(symmetric))
		require.True(t, signing.Key{}.Equal(signing.Key{}))
	})

	t.Run("the zero key is empty and can't sign", func(t *testing.T) {
		t.Parallel()
		require.Empty(t, signing.Key{}.Reveal())
		require.Empty(t, signing.Key{}.Public())
		require.False(t, signing.Key{}.CanSign())
	})
}

func FuzzParseKey(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.key)
		f.Add(v.public)
	}
	f.Add("")
	f.Add("whsec_")
	f.Add("whsec_====")
	f.Add("whsk_" + strings.Repeat("A", 86) + "==")
	f.Fuzz(func(t *testing.T, s string) {
		key, err := signing.ParseKey(s)
		if err != nil {
			require.ErrorIs(t, err, signing.ErrInvalidKey)
			return
		}
		require.Equal(t, s, key.Reveal())
		requireNoTrace(t, s, key.String())
		public := parse(t, key.Public())
		require.Equal(t, public.Reveal(), public.Public())

		signature, err := signing.Sign("msg_1", vectors[0].at(), []byte(s), key)
		if !key.CanSign() {
			require.ErrorIs(t, err, signing.ErrInvalidKey)
			return
		}
		require.NoError(t, err)
		h := headers("msg_1", vectors[0].at(), signature)
		require.NoError(t, signing.Verify(h, []byte(s), vectors[0].at(), public))
	})
}
