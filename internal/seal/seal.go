// Package seal encrypts what a database must not show to whoever reads its files: signing secrets, header values,
// answers that hold tokens. It does no I/O; stores and the API decide what to seal.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const (
	keySize = 32
	idSize  = 4
	// textPrefix marks sealed text and its version; what follows is the id of the key, a colon, and the rest in base64.
	textPrefix = "sealed:1:"
)

// encoding is strict, so that each sealed text has exactly one form.
var encoding = base64.RawStdEncoding.Strict()

// Errors of opening. Their texts hold nothing of the content.
var (
	// ErrOtherKey: the text was sealed by a box with another secret.
	ErrOtherKey = errors.New("sealed with another secret")
	// ErrDamaged: the bytes are not what was sealed, or not for this place.
	ErrDamaged = errors.New("sealed content is damaged or belongs elsewhere")
)

// Box seals with one secret: AES-256-GCM with a key that HKDF-SHA256 derives from it. What is sealed is bound to a place,
// such as "endpoint.secrets:ep_…", and opens nowhere else: copied to another row, it is damaged. A Box is safe for
// concurrent use.
type Box struct {
	aead cipher.AEAD
	id   string // of the key, not secret
}

// New returns the box of a secret for a purpose. Boxes for different purposes have nothing in common. The secret has to
// have entropy: nothing here slows down guessing.
func New(secret []byte, purpose string) (*Box, error) {
	derived, err := hkdf.Key(sha256.New, secret, nil, "posthorn/"+purpose, keySize+idSize)
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	block, err := aes.NewCipher(derived[:keySize])
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	return &Box{aead: aead, id: hex.EncodeToString(derived[keySize:])}, nil
}

// Seal encrypts content for a place. To seal the same twice gives different bytes.
func (b *Box) Seal(content []byte, place string) []byte {
	return b.aead.Seal(nil, nil, content, []byte(place))
}

// Open returns what was sealed for the place. ErrDamaged.
func (b *Box) Open(sealed []byte, place string) ([]byte, error) {
	content, err := b.aead.Open(nil, nil, sealed, []byte(place))
	if err != nil {
		return nil, ErrDamaged // the cause says no more than that
	}
	return content, nil
}

// SealText is Seal for columns of text. The result says with which key it was sealed.
func (b *Box) SealText(content, place string) string {
	return textPrefix + b.id + ":" + encoding.EncodeToString(b.Seal([]byte(content), place))
}

// OpenText returns what SealText was given. ErrOtherKey, ErrDamaged.
func (b *Box) OpenText(sealed, place string) (string, error) {
	id, encoded, ok := strings.Cut(strings.TrimPrefix(sealed, textPrefix), ":")
	if !ok || !IsSealed(sealed) {
		return "", ErrDamaged
	}
	if id != b.id {
		return "", ErrOtherKey
	}
	raw, err := encoding.DecodeString(encoded)
	if err != nil {
		return "", ErrDamaged
	}
	content, err := b.Open(raw, place)
	return string(content), err
}

// IsSealed reports whether a text comes from SealText, whatever the key.
func IsSealed(text string) bool { return strings.HasPrefix(text, textPrefix) }
