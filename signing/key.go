package signing

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// ErrInvalidKey is wrapped by every error that comes from a key: malformed, missing, or not able to do what is asked.
// The text of such an error never holds a part of the key.
var ErrInvalidKey = errors.New("signing: invalid key")

// The prefixes of a serialised key.
const (
	symmetricPrefix = "whsec_"
	privatePrefix   = "whsk_"
	publicPrefix    = "whpk_"
)

// The length of symmetric keys in bytes.
const (
	minSymmetricSize = 24
	maxSymmetricSize = 75
	newSymmetricSize = 32
)

var encoding = base64.StdEncoding.Strict()

// Key signs or verifies webhooks. It never changes and may be used by several goroutines at once. The zero Key is no
// key at all: every operation on it that can fail does.
type Key struct {
	_ [0]func() // rules out ==, which would compare addresses; see Equal

	// Behind two pointers, because fmt calls no methods on the unexported fields of a caller's struct but prints what it
	// finds there. It follows one pointer when the verb does not fit, and never two.
	sealed **material
}

// material is a key without its protection. A private key is seed ‖ public key, as in crypto/ed25519.
type material struct {
	prefix string
	raw    []byte
}

// ParseKey reads a serialised key: whsec_ (symmetric), whsk_ (private) or whpk_ (public), each followed by padded
// standard base64. The prefix is required; for a bare base64 secret, put whsec_ in front of it. A private key whose
// public half does not belong to its seed is refused. What ParseKey accepts, [Key.Reveal] returns unchanged.
func ParseKey(s string) (Key, error) {
	for _, prefix := range []string{symmetricPrefix, privatePrefix, publicPrefix} {
		encoded, ok := strings.CutPrefix(s, prefix)
		if !ok {
			continue
		}
		raw, err := decode(encoded)
		if err != nil {
			return Key{}, fmt.Errorf("%w: %s: %w", ErrInvalidKey, prefix, err)
		}
		if err := checkMaterial(prefix, raw); err != nil {
			return Key{}, fmt.Errorf("%w: %s: %w", ErrInvalidKey, prefix, err)
		}
		return newKey(prefix, raw), nil
	}
	return Key{}, fmt.Errorf("%w: it must start with %s, %s or %s",
		ErrInvalidKey, symmetricPrefix, privatePrefix, publicPrefix)
}

// decode reads padded standard base64. It refuses the line breaks that encoding/base64 skips, so that each key has
// exactly one serialised form.
func decode(encoded string) ([]byte, error) {
	raw, err := encoding.DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return nil, errors.New("what follows the prefix is not padded standard base64")
	}
	return raw, nil
}

func checkMaterial(prefix string, raw []byte) error {
	switch prefix {
	case symmetricPrefix:
		if len(raw) < minSymmetricSize || len(raw) > maxSymmetricSize {
			return fmt.Errorf("a symmetric key has %d to %d bytes, this one has %d",
				minSymmetricSize, maxSymmetricSize, len(raw))
		}
	case privatePrefix:
		if len(raw) != ed25519.PrivateKeySize {
			return fmt.Errorf("a private key has %d bytes, this one has %d", ed25519.PrivateKeySize, len(raw))
		}
		if !bytes.Equal(ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])[ed25519.SeedSize:], raw[ed25519.SeedSize:]) {
			return errors.New("the public half of the private key does not belong to its seed")
		}
	case publicPrefix:
		if len(raw) != ed25519.PublicKeySize {
			return fmt.Errorf("a public key has %d bytes, this one has %d", ed25519.PublicKeySize, len(raw))
		}
	}
	return nil
}

// NewSymmetricKey makes a whsec_ key of 32 random bytes.
func NewSymmetricKey() Key {
	raw := make([]byte, newSymmetricSize)
	rand.Read(raw) // never fails: without randomness the program crashes
	return newKey(symmetricPrefix, raw)
}

// NewAsymmetricKey makes a random whsk_ key.
func NewAsymmetricKey() Key {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed) // never fails: without randomness the program crashes
	return newKey(privatePrefix, ed25519.NewKeyFromSeed(seed))
}

func newKey(prefix string, raw []byte) Key {
	m := &material{prefix: prefix, raw: raw}
	return Key{sealed: &m}
}

// open returns what the key holds, nil for the zero Key.
func (k Key) open() *material {
	if k.sealed == nil {
		return nil
	}
	return *k.sealed
}

// CanSign reports whether the key can sign and not only verify: true for whsec_ and whsk_.
func (k Key) CanSign() bool {
	m := k.open()
	return m != nil && m.prefix != publicPrefix
}

// Equal reports whether both are the same key. A private key and its public key are two keys.
func (k Key) Equal(other Key) bool {
	a, b := k.open(), other.open()
	if a == nil || b == nil {
		return a == b
	}
	return a.prefix == b.prefix && subtle.ConstantTimeCompare(a.raw, b.raw) == 1
}

// Reveal returns the whole key in the form that [ParseKey] reads: for the store, and for no log. It is empty for the
// zero Key.
func (k Key) Reveal() string {
	m := k.open()
	if m == nil {
		return ""
	}
	return m.prefix + encoding.EncodeToString(m.raw)
}

// Public returns what a receiver needs to verify: the whpk_ form of a private or public key, and the shared secret
// itself, in its whsec_ form, of a symmetric one. It is empty for the zero Key.
func (k Key) Public() string {
	m := k.open()
	if m == nil || m.prefix == symmetricPrefix {
		return k.Reveal()
	}
	return publicPrefix + encoding.EncodeToString(m.publicKey())
}

// publicKey returns the public half of an Ed25519 key.
func (m *material) publicKey() ed25519.PublicKey {
	return m.raw[len(m.raw)-ed25519.PublicKeySize:]
}
