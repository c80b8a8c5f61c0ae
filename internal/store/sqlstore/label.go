package sqlstore

import (
	"context"
	"strconv"

	"github.com/posthorn/posthorn"
)

// label is a channel or a tag of a message, or one of each together: lists can be narrowed by both. Labels are kept
// beside what they label, in the order of the lists that they narrow.
type label struct{ kind, name string }

// The kinds of label.
const (
	channel = "channel"
	tag     = "tag"
	both    = "both" // a channel, a space, which neither can have, and a tag
)

// noStanding is the standing of an application's messages on its list.
const noStanding = ""

func labelsOf(channels, tags []string) []label {
	var all []label
	for _, c := range channels {
		all = append(all, label{channel, c})
	}
	for _, t := range tags {
		all = append(all, label{tag, t})
		for _, c := range channels {
			all = append(all, label{both, c + " " + t})
		}
	}
	return all
}

// wantedLabel is what a filter asks for, if it does.
func wantedLabel(channelName, tagName string) (l label, ok bool) {
	switch {
	case channelName != "" && tagName != "":
		return label{both, channelName + " " + tagName}, true
	case channelName != "":
		return label{channel, channelName}, true
	case tagName != "":
		return label{tag, tagName}, true
	default:
		return l, false
	}
}

// subject is what the lists have to know of a message.
type subject struct {
	eventType   string
	labels      []label
	orderingKey string
	cancelled   bool
}

// load reads the subject of a message. sql.ErrNoRows: there is no such message.
func (m *subject) load(ctx context.Context, tx *Session, messageID string) error {
	var channels, tags []string
	err := tx.row(ctx, []any{&m.eventType, jsonOf(&channels), jsonOf(&tags), text{&m.orderingKey}, &m.cancelled},
		"SELECT event_type, channels, tags, ordering_key, cancelled_at IS NOT NULL FROM message WHERE id = ?", messageID)
	if err != nil {
		return err
	}
	m.labels = labelsOf(channels, tags)
	return nil
}

// label puts the message's labels on an item of its owner's list. row is the item's, or nil if it needs none. A label
// that a message has twice is one.
func (m *subject) label(ctx context.Context, tx *Session, owner, item string, row, standing any) error {
	for _, l := range m.labels {
		if err := tx.post(ctx, "INSERT INTO label (owner_id, kind, name, event_type, standing, item_id, item_seq)"+
			" VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", owner, l.kind, l.name, m.eventType, standing, item, row); err != nil {
			return err
		}
	}
	return nil
}

// move changes the standing of an item that has the message's labels.
func (m *subject) move(ctx context.Context, tx *Session, owner, item string, from, to any) error {
	if from == to {
		return nil
	}
	for _, l := range m.labels {
		if err := tx.post(ctx, "UPDATE label SET standing = ? WHERE owner_id = ? AND kind = ? AND name = ?"+
			" AND event_type = ? AND standing = ? AND item_id = ?", to, owner, l.kind, l.name, m.eventType, from, item); err != nil {
			return err
		}
	}
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

// standing is a column that holds a delivery's state or an attempt's outcome. A number is one also where the database has
// a text for it.
type standing struct{ p *any }

func (c standing) Scan(src any) error {
	*c.p = src
	if s, ok := src.(string); ok {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			*c.p = n
		}
	}
	return nil
}
