package posthorn

import "time"

// ReplayInput is what the tasks are given that send messages to an endpoint again: RecoverEndpoint, ReplayMissing and
// BulkReplay. Each message that they are about gets one attempt by hand.
type ReplayInput struct {
	EndpointID string
	Since      time.Time // inclusive, by the time in the message's ID
	Until      time.Time // exclusive
	DryRun     bool      `json:",omitempty"` // count the messages and send nothing
	RateLimit  int       `json:",omitempty"` // messages per second; 0 = no limit

	// What a BulkReplay is narrowed to. Zero fields don't.
	EventTypes  []string        `json:",omitempty"`
	Channel     string          `json:",omitempty"`
	Tag         string          `json:",omitempty"`
	States      []DeliveryState `json:",omitempty"` // where the delivery stands when its turn comes
	StatusClass *int            `json:",omitempty"` // of the newest attempt: 0 for no response, 100, 200, … 500; a success has 200
}

// ReplayData is what these tasks tell: Count where they only count, otherwise how far sending has come.
type ReplayData struct {
	Count *int `json:"count,omitempty"` // messages found
	*ReplayProgress
}

// ReplayProgress says how far a task has come with sending.
type ReplayProgress struct {
	Total        int `json:"total"`        // messages found beforehand; in the end, those that there were
	Done         int `json:"done"`         // messages whose turn has been
	Attempted    int `json:"attempted"`    // those of them that got an attempt
	MessagesSent int `json:"messagesSent"` // the same, by the name that Svix clients know
	Delivered    int `json:"delivered"`    // those of them that the endpoint took
	Skipped      int `json:"skipped"`      // messages whose payload is gone
}

// Add counts a message whose turn has been.
func (p *ReplayProgress) Add(attempted, delivered bool) {
	p.Done++
	switch {
	case !attempted:
		p.Skipped++
	case delivered:
		p.Delivered++
		fallthrough
	default:
		p.Attempted++
		p.MessagesSent++
	}
	p.Total = max(p.Total, p.Done)
}
