package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/posthorn/posthorn"
)

// The kinds of label.
const (
	channel = "channel"
	tag     = "tag"
)

// labels are a message's channels and tags, each with its kind. They are kept beside what they label, in the order of
// the lists that they narrow.
type labels [][2]string

func labelsOf(channels, tags []string) labels {
	var all labels
	for _, name := range channels {
		all = append(all, [2]string{channel, name})
	}
	for _, name := range tags {
		all = append(all, [2]string{tag, name})
	}
	return all
}

// wantedLabels are the labels that a filter names.
func wantedLabels(channelName, tagName string) labels {
	var all labels
	if channelName != "" {
		all = append(all, [2]string{channel, channelName})
	}
	if tagName != "" {
		all = append(all, [2]string{tag, tagName})
	}
	return all
}

// store puts the labels on an item of its owner's list. outcome is that of an attempt, which has to be the row inserted
// last, and nil otherwise. OR IGNORE lets a name stand twice in the list, and spares SQLite the journal that it would
// keep to undo half an insert.
func (l labels) store(ctx context.Context, tx *statements, owner, item, eventType string, outcome any) error {
	if len(l) == 0 {
		return nil
	}
	_, err := tx.exec(ctx, "INSERT OR IGNORE INTO label (owner_id, kind, name, item_id, item_seq, event_type, outcome)"+
		" SELECT ?1, value ->> 0, value ->> 1, ?2, iif(?4 IS NULL, NULL, last_insert_rowid()), ?3, ?4 FROM json_each(?5)",
		owner, item, eventType, outcome, jsonOf(&l))
	return err
}

// subject is what a record has to know of its message.
type subject struct {
	eventType string
	labels    labels
}

// load leaves the subject of a message that isn't there empty.
func (s *subject) load(ctx context.Context, tx *statements, messageID string) error {
	var channels, tags []string
	err := tx.row(ctx, []any{&s.eventType, jsonOf(&channels), jsonOf(&tags)},
		"SELECT event_type, channels, tags FROM message WHERE id = ?", messageID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	s.labels = labelsOf(channels, tags)
	return nil
}

// The outcomes of attempts, as the database numbers them: the class of a failure's status, and one for success.
const (
	noResponse = 0
	otherClass = 6
	success    = 7
)

// outcomeOf says in Go what the column outcome of attempts says in SQL.
func outcomeOf(a *posthorn.Attempt) int {
	switch {
	case a.Success:
		return success
	case a.Status < 100:
		return noResponse
	case a.Status > 599:
		return otherClass
	default:
		return a.Status / 100
	}
}
