package signing

import (
	"crypto/hmac"
	"crypto/sha256"
	"sync"
)

// message is what gets signed: "id.timestamp." and the payload. The payload is not copied unless joined asks for it.
type message struct {
	buf     []byte // the head; from the first call of joined on, the payload behind it
	head    int    // length of the head
	payload []byte
	sum     [sha256.Size]byte
}

// maxPooledSize keeps one huge payload from holding its memory in the pool, in bytes.
const maxPooledSize = 64 << 10

var messages = sync.Pool{New: func() any { return new(message) }}

// newMessage takes a message from the pool; the caller releases it.
func newMessage(id, timestamp string, payload []byte) *message {
	m := messages.Get().(*message)
	m.buf = append(m.buf[:0], id...)
	m.buf = append(m.buf, '.')
	m.buf = append(m.buf, timestamp...)
	m.buf = append(m.buf, '.')
	m.head = len(m.buf)
	m.payload = payload
	return m
}

func (m *message) release() {
	m.payload = nil
	if cap(m.buf) <= maxPooledSize {
		messages.Put(m)
	}
}

// hmac returns the HMAC-SHA256 of the message, valid until the next call.
func (m *message) hmac(secret []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(m.buf[:m.head])
	h.Write(m.payload)
	return h.Sum(m.sum[:0])
}

// joined returns the message in one piece, which Ed25519 needs because it reads it twice.
func (m *message) joined() []byte {
	if len(m.buf) == m.head {
		m.buf = append(m.buf, m.payload...)
	}
	return m.buf
}
