package api

import (
	"time"

	"github.com/posthorn/posthorn"
)

// MessageTimes say when a message is sent. They are exported for huma, which finds embedded fields only then.
type MessageTimes struct {
	DeliverAt *string `json:"deliverAt,omitempty" format:"date-time" doc:"When to send it, at most 30 days ahead. Default, and where it is past: at once."`
	// DeliverBefore is ours.
	DeliverBefore *string `json:"deliverBefore,omitempty" format:"date-time" doc:"From when on it is not sent any more: what is not delivered then has failed. At most 30 days after deliverAt. Default: as long as endpoints are tried."`
}

// check says whether they are times at all.
func (in *MessageTimes) check() error {
	_, wrongAt := readTime("body.deliverAt", in.DeliverAt)
	_, wrongBefore := readTime("body.deliverBefore", in.DeliverBefore)
	return problems(wrongAt, wrongBefore)
}

// readTime returns the zero time if there is none.
func readTime(field string, given *string) (time.Time, error) {
	if given == nil {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, *given)
	if err != nil {
		return time.Time{}, invalidField(field, "must be a date and time like 2026-01-31T12:00:00Z (RFC 3339)")
	}
	return timestamp(t), nil
}

// apply sets the times of a message, which are right by themselves.
func (in *MessageTimes) apply(m *posthorn.Message) {
	m.DeliverAt, _ = readTime("", in.DeliverAt)
	m.DeliverBefore, _ = readTime("", in.DeliverBefore)
}

// checkTimes refuses a message that would come too late, for the sender, for the receivers or for its payload.
func (in *messageIn) checkTimes(m *posthorn.Message) error {
	begin := m.CreatedAt
	if m.DeliverAt.After(begin) {
		begin = m.DeliverAt
	}
	var late, before, gone error
	if begin.Sub(m.CreatedAt) > posthorn.MaxDelay {
		late = invalidField("body.deliverAt", "must be at most %d days ahead", posthorn.MaxDelay/day)
	}
	switch end := m.DeliverBefore; {
	case end.IsZero():
	case !end.After(begin):
		before = invalidField("body.deliverBefore", "must be in the future, and after deliverAt")
	case end.Sub(begin) > posthorn.MaxDeliverFor:
		before = invalidField("body.deliverBefore", "must be at most %d days after deliverAt", posthorn.MaxDeliverFor/day)
	}
	if late == nil && !m.ExpiresAt.After(begin) {
		field := "body.payloadRetentionPeriod"
		if in.PayloadRetentionHours != nil {
			field = "body.payloadRetentionHours"
		}
		gone = invalidField(field, "must be long enough for the payload to be there at deliverAt")
	}
	return problems(late, before, gone)
}

// atOnce refuses times where there is nothing to wait for.
func (in *MessageTimes) atOnce() error {
	switch {
	case in.DeliverAt != nil:
		return invalidField("body.deliverAt", "can't be given here: it is sent at once")
	case in.DeliverBefore != nil:
		return invalidField("body.deliverBefore", "can't be given here: it is sent at once")
	default:
		return nil
	}
}
