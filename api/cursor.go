package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// maxCursor is longer than any iterator of a stream that this server makes.
const maxCursor = 200

// The milliseconds of the years that a timestamp can have, 1 to 9999, in any time zone.
const (
	firstMilli = -62135596800000 - 24*60*60*1000
	lastMilli  = 253402300799999 + 24*60*60*1000
)

// cursor is what the iterator of a stream says. Callers can't rely on what it looks like.
type cursor struct {
	Message string `json:"m,omitempty"` // the message behind which it lies
	After   int64  `json:"a,omitempty"` // leaves out messages made until this millisecond
	Epoch   int    `json:"e,omitempty"` // of the consumer that it was made for
}

func cursorOf(p store.Position, epoch int) cursor {
	c := cursor{Message: p.MessageID, Epoch: epoch}
	if !p.After.IsZero() {
		c.After = p.After.UnixMilli()
	}
	return c
}

func (c cursor) String() string {
	encoded, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Errorf("encoding an iterator: %w", err))
	}
	return base64.RawURLEncoding.EncodeToString(encoded)
}

// position is where the cursor lies, and not before after.
func (c cursor) position(after time.Time) store.Position {
	p := store.Position{MessageID: c.Message}
	if c.After != 0 {
		p.After = time.UnixMilli(c.After).UTC()
	}
	if after.After(p.After) {
		p.After = after
	}
	return p
}

// parseCursor reads an iterator. Invalid.
func parseCursor(iterator string) (cursor, error) {
	refused := invalidField("query.iterator", "Invalid iterator")
	if len(iterator) > maxCursor {
		return cursor{}, refused
	}
	encoded, err := base64.RawURLEncoding.Strict().DecodeString(iterator)
	if err != nil {
		return cursor{}, refused
	}
	var c cursor
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil || c.String() != iterator {
		return cursor{}, refused
	}
	if c.Message != "" && !posthorn.MessageID.Valid(c.Message) || c.Epoch < 0 ||
		c.After < firstMilli || c.After > lastMilli || time.UnixMilli(c.After).IsZero() {
		return cursor{}, refused
	}
	return c, nil
}
