package posthorn

import "time"

// DefaultReleaseRate is how many held deliveries of an endpoint are let go in a second unless somebody says otherwise: a
// receiver that was away shall not be run over when it returns.
const DefaultReleaseRate = 50

// Release says what becomes of an endpoint's held deliveries when it takes messages again. The zero value sends them at
// DefaultReleaseRate.
type Release struct {
	Rate int  `json:",omitempty"` // deliveries per second; 0 = DefaultReleaseRate
	Drop bool `json:",omitempty"` // cancel them instead
	// At is when somebody said so. What was accepted later is not dropped: it can be held once more, for another reason,
	// before the rest is gone.
	At time.Time `json:",omitzero"`
}

// Attention says that something is to be done for an endpoint, besides sending what is posted.
type Attention struct {
	EndpointID string
	AppID      string
	Version    int // grows with each reason
	Release    Release
	// Retime is set where a schedule has changed: deliveries that wait for their next attempt are to be timed anew, those of
	// messages behind this ID.
	Retime *string
}
