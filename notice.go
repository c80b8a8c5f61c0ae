package posthorn

import (
	"encoding/json"
	"fmt"
	"time"
)

// Notice is an operational event as its receivers get it. What is told names things by their ids: no secret, no payload
// and no URL is part of it.
type Notice struct {
	Type string `json:"type"`
	Data any    `json:"data"`
}

// Message returns the notice as a message to the application that holds the operational-webhook endpoints.
func (n Notice) Message(appID string, now time.Time) (Message, error) {
	payload, err := json.Marshal(n)
	if err != nil {
		return Message{}, fmt.Errorf("writing the notice %s: %w", n.Type, err)
	}
	return Message{
		ID: MessageID.New(), AppID: appID, EventType: n.Type, Payload: payload,
		CreatedAt: now, ExpiresAt: now.Add(DefaultRetention),
	}, nil
}

// MaxNoticeData is how much a notice tells of what came of a background task, in bytes of JSON. More is left out.
const MaxNoticeData = 64 << 10

// TaskEnd is what is told of a background task that has ended.
type TaskEnd struct {
	TaskID string          `json:"taskId"`
	Task   TaskKind        `json:"task"`
	Status TaskState       `json:"status"`
	Reason string          `json:"reason,omitempty"` // why it failed
	Data   json.RawMessage `json:"data,omitempty"`   // what came of it, up to MaxNoticeData
}

// TaskNotice tells that a task has ended.
func TaskNotice(t *Task) Notice {
	end := TaskEnd{TaskID: t.ID, Task: t.Kind, Status: t.State, Reason: t.Reason}
	if len(t.Data) <= MaxNoticeData {
		end.Data = t.Data
	}
	return Notice{EventTaskFinished, end}
}

// given is a pointer to a name that the platform team chose, nil where it chose none: null in a notice.
func given(name string) *string {
	if name == "" {
		return nil
	}
	return &name
}
