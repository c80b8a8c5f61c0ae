package posthorn

import "time"

// DeliverySubject is what is told of a delivery that is failing, has failed for good, or has recovered.
type DeliverySubject struct {
	EndpointSubject
	MsgID       string       `json:"msgId"`
	MsgEventID  *string      `json:"msgEventId"`
	Reason      string       `json:"reason,omitempty"`      // why it has failed, where that is not the last attempt
	LastAttempt *LastAttempt `json:"lastAttempt,omitempty"` // nil if none was made
}

// LastAttempt is the attempt that a notice about a delivery comes from.
type LastAttempt struct {
	ID                 string    `json:"id"`
	ResponseStatusCode int       `json:"responseStatusCode"` // 0 if no response came
	Timestamp          time.Time `json:"timestamp"`
}

// DeliveryNotice tells of a delivery, given its message and the attempt that it is about, nil if none was made.
func DeliveryNotice(event string, app *Application, e *Endpoint, m *Message, d *Delivery, last *Attempt) Notice {
	told := DeliverySubject{EndpointSubject: subjectOf(app, e), MsgID: m.ID, MsgEventID: given(m.EventID), Reason: d.Reason}
	if last != nil {
		told.LastAttempt = &LastAttempt{last.ID, last.Status, last.StartedAt.UTC()}
	}
	return Notice{event, told}
}
