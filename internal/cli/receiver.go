package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/posthorn/posthorn/signing"
)

// maxDelivery is the longest body that the receiver takes, in bytes; no message is as long.
const maxDelivery = 16 << 20

// eventTypeHeader is a header that tells the event type; not every sender sets it.
const eventTypeHeader = "Webhook-Event-Type"

// delivery is one request as it was received and answered.
type delivery struct {
	Time      time.Time       `json:"time"`
	ID        string          `json:"id"` // the same for every attempt of a message
	EventType string          `json:"eventType,omitempty"`
	Signature string          `json:"signature"` // "ok" or "invalid"
	Problem   string          `json:"problem,omitempty"`
	Status    int             `json:"status"` // what it was answered with
	Forward   string          `json:"forward,omitempty"`
	Payload   json.RawMessage `json:"payload"` // a JSON string if the body was not JSON
}

// answer is what a delivery is answered with.
type answer struct {
	status int
	header http.Header
	body   []byte
	note   string // what came of forwarding, if that was asked for
}

// receiver takes deliveries in, checks them, has them answered and printed.
type receiver struct {
	path   string
	now    func() time.Time
	answer func(ctx context.Context, header http.Header, body []byte) answer
	show   func(delivery)
	close  func() // releases what answer needs

	ready chan struct{} // closed once key is set
	key   signing.Key
}

// verifyWith sets the key to check with. Deliveries that came before it was known have waited for it.
func (r *receiver) verifyWith(key signing.Key) {
	r.key = key
	close(r.ready)
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path != r.path {
		http.NotFound(w, req)
		return
	}
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "deliveries are POST requests", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxDelivery))
	if err != nil {
		status := http.StatusBadRequest
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, err.Error(), status)
		return
	}
	select {
	case <-r.ready:
	case <-req.Context().Done():
		return
	}

	d := delivery{
		Time:      r.now(),
		ID:        req.Header.Get(signing.HeaderID),
		EventType: eventType(req.Header, body),
		Signature: "ok",
		Payload:   asJSON(body),
	}
	if err := signing.Verify(req.Header, body, d.Time, r.key); err != nil {
		d.Signature, d.Problem = "invalid", err.Error()
	}
	a := r.answer(req.Context(), req.Header, body)
	d.Status, d.Forward = a.status, a.note
	r.show(d)

	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the sender may have gone; it will send again
}

// eventType looks where senders tell the event type: in a header, or in the payload as Standard Webhooks advises.
func eventType(header http.Header, body []byte) string {
	if told := header.Get(eventTypeHeader); told != "" {
		return told
	}
	var payload struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(body, &payload) != nil {
		return ""
	}
	return payload.Type
}

func asJSON(body []byte) json.RawMessage {
	if json.Valid(body) {
		return body
	}
	quoted, _ := json.Marshal(string(body)) // a string always has a JSON form
	return quoted
}
