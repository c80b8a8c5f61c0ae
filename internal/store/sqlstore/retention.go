package sqlstore

import (
	"context"
	"time"
)

// removeRows is how many rows one transaction removes, labels included. Five times as many would cost a fifth less each,
// and keep those who post and deliver waiting four times as long.
const removeRows = 100

// portion is what one transaction may still remove. Removing overwrites, so the bytes count as much as the rows.
type portion struct {
	rows  int
	bytes int64
	begun bool
}

func newPortion() *portion { return &portion{rows: removeRows, bytes: eraseBytes} }

// take reports whether there is room for something, and uses it up. There always is for the first thing.
func (p *portion) take(rows int, bytes int64) bool {
	if p.begun && (rows > p.rows || bytes > p.bytes) {
		return false
	}
	p.begun = true
	p.rows -= rows
	p.bytes -= bytes
	return true
}

// cut returns as many of the first items as a portion has room for.
func cut[T any](p *portion, items []T, size func(*T) (rows int, bytes int64)) []T {
	for i := range items {
		if !p.take(size(&items[i])) {
			return items[:i]
		}
	}
	return items
}

// attemptBytes is how much an attempt a keeps that is not of a fixed size. SQLite reads the sizes only.
const attemptBytes = "coalesce(octet_length(a.header), 0) + coalesce(octet_length(a.body), 0) + coalesce(octet_length(a.sent), 0)"

// unlabel takes the message's labels from an item of its owner's list: the opposite of label.
func (m *subject) unlabel(ctx context.Context, tx *Session, owner, item string, standing any) error {
	for _, l := range m.labels {
		if _, err := tx.Exec(ctx, "DELETE FROM label WHERE owner_id = ? AND kind = ? AND name = ? AND event_type = ? AND standing = ? AND item_id = ?",
			owner, l.kind, l.name, m.eventType, standing, item); err != nil {
			return err
		}
	}
	return nil
}

// labelled is what the lists have to know of a message, as its row has it.
type labelled struct {
	eventType      string
	channels, tags []string
}

const labelledColumns = "event_type, channels, tags"

func labelledFields(l *labelled) []any {
	return []any{text{&l.eventType}, jsonOf(&l.channels), jsonOf(&l.tags)}
}

func (l *labelled) subject() *subject {
	return &subject{eventType: l.eventType, labels: labelsOf(l.channels, l.tags)}
}

// MakeRoom implements [store.Retention]: there is always room where weeks are not kept apart.
func (s *Store) MakeRoom(ctx context.Context, _ time.Time) error { return s.During(ctx.Err) }
