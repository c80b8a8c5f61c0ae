package signing

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed request.
const (
	// HeaderID holds the id of the message, the same on every attempt, so that receivers can recognise a repetition.
	HeaderID = "webhook-id"
	// HeaderTimestamp holds the time of the attempt in Unix seconds.
	HeaderTimestamp = "webhook-timestamp"
	// HeaderSignature holds one or more signatures, separated by spaces, each a version, a comma and base64.
	HeaderSignature = "webhook-signature"
)

// The versions of a signature, with the comma that follows them.
const (
	symmetricVersion  = "v1,"
	asymmetricVersion = "v1a,"
)

// Sign returns the value of [HeaderSignature] for one attempt: a signature for each key, in the order of the keys. The
// same id and the same at, in whole Unix seconds, belong into [HeaderID] and [HeaderTimestamp]; payload is the body as
// it is sent, byte for byte.
//
// The id must not be empty nor hold a full stop, which would let one signature stand for two messages. Without keys, and
// with a key that can't sign, Sign fails with [ErrInvalidKey].
func Sign(id string, at time.Time, payload []byte, keys ...Key) (string, error) {
	if id == "" || strings.Contains(id, ".") {
		return "", fmt.Errorf("signing: message id %q must not be empty nor hold a full stop", id)
	}
	if len(keys) == 0 {
		return "", fmt.Errorf("%w: no key to sign message %s with", ErrInvalidKey, id)
	}
	m := newMessage(id, strconv.FormatInt(at.Unix(), 10), payload)
	defer m.release()

	var room [192]byte // for a signature of each version, so that only the result is allocated
	value := room[:0]
	for i, key := range keys {
		if i > 0 {
			value = append(value, ' ')
		}
		var err error
		if value, err = key.open().appendSignature(value, m); err != nil {
			return "", fmt.Errorf("%w: signing message %s with key %d of %d: %w", ErrInvalidKey, id, i+1, len(keys), err)
		}
	}
	return string(value), nil
}

func (k *material) appendSignature(dst []byte, m *message) ([]byte, error) {
	switch {
	case k == nil:
		return nil, errors.New("the key is empty")
	case k.prefix == publicPrefix:
		return nil, errors.New("a public key can only verify")
	case k.prefix == symmetricPrefix:
		dst = append(dst, symmetricVersion...)
		return encoding.AppendEncode(dst, m.hmac(k.raw)), nil
	default:
		dst = append(dst, asymmetricVersion...)
		return encoding.AppendEncode(dst, ed25519.Sign(k.raw, m.joined())), nil
	}
}
