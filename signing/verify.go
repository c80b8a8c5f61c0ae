package signing

import (
	"crypto/ed25519"
	"crypto/hmac"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Tolerance is how far the timestamp of a request may lie from the receiver's clock, in the past and in the future.
const Tolerance = 5 * time.Minute

// Why a request is refused; test with errors.Is.
var (
	// ErrMissingHeader means that one of the three headers is absent or empty.
	ErrMissingHeader = errors.New("signing: missing header")
	// ErrTimestamp means that the timestamp is not a whole number or is further than Tolerance from now.
	ErrTimestamp = errors.New("signing: unacceptable timestamp")
	// ErrNoMatch means that no signature was made by one of the keys over this id, timestamp and payload.
	ErrNoMatch = errors.New("signing: no matching signature")
)

// Verify checks that one of the keys signed the request and that the request is fresh. payload is the body as it was
// received, byte for byte; now is the receiver's clock. Any one signature that matches any one key will do; signatures
// of a version unknown here are passed over.
//
// The error wraps [ErrMissingHeader], [ErrTimestamp] or [ErrNoMatch], or [ErrInvalidKey] if there is no key or an empty
// one. Verify does not remember what it has seen: to refuse replays, keep the ids of the last five minutes.
func Verify(h http.Header, payload []byte, now time.Time, keys ...Key) error {
	if len(keys) == 0 {
		return fmt.Errorf("%w: no key to verify with", ErrInvalidKey)
	}
	id, timestamp, signatures := h.Get(HeaderID), h.Get(HeaderTimestamp), h.Get(HeaderSignature)
	switch {
	case id == "":
		return fmt.Errorf("%w %s", ErrMissingHeader, HeaderID)
	case timestamp == "":
		return fmt.Errorf("%w %s", ErrMissingHeader, HeaderTimestamp)
	case signatures == "":
		return fmt.Errorf("%w %s", ErrMissingHeader, HeaderSignature)
	}
	if err := checkTimestamp(timestamp, now); err != nil {
		return err
	}
	m := newMessage(id, timestamp, payload)
	defer m.release()
	for i, key := range keys {
		opened := key.open()
		if opened == nil {
			return fmt.Errorf("%w: key %d of %d is empty", ErrInvalidKey, i+1, len(keys))
		}
		if opened.matches(signatures, m) {
			return nil
		}
	}
	return ErrNoMatch
}

// checkTimestamp works in whole seconds, as the header does.
func checkTimestamp(timestamp string, now time.Time) error {
	at, err := strconv.ParseInt(timestamp, 10, 64)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %q is not a whole number of seconds", ErrTimestamp, timestamp)
	case at < now.Add(-Tolerance).Unix():
		return fmt.Errorf("%w: more than %s in the past", ErrTimestamp, Tolerance)
	case at > now.Add(Tolerance).Unix():
		return fmt.Errorf("%w: more than %s in the future", ErrTimestamp, Tolerance)
	}
	return nil
}

// matches reports whether one of the signatures is that of the key.
func (k *material) matches(signatures string, m *message) bool {
	if k.prefix == symmetricPrefix {
		want := encoding.AppendEncode([]byte(symmetricVersion), m.hmac(k.raw))
		for signature := range strings.SplitSeq(signatures, " ") {
			if hmac.Equal([]byte(signature), want) {
				return true
			}
		}
		return false
	}
	for signature := range strings.SplitSeq(signatures, " ") {
		encoded, ok := strings.CutPrefix(signature, asymmetricVersion)
		if !ok {
			continue
		}
		decoded, err := decode(encoded)
		if err == nil && ed25519.Verify(k.publicKey(), m.joined(), decoded) {
			return true
		}
	}
	return false
}
