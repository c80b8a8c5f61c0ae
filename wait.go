package posthorn

// Wait says what a delivery waits for that could otherwise be sent. Waiting uses up no attempts.
type Wait string

// The waits.
const (
	WaitNothing  Wait = ""             // it is being sent, or its next attempt has a time
	WaitTime     Wait = "scheduled"    // for the time at which its message is to be delivered
	WaitPaused   Wait = "paused"       // until the endpoint is resumed
	WaitDisabled Wait = "disabled"     // until the endpoint is enabled
	WaitCircuit  Wait = "circuit_open" // until the endpoint, which fails for everybody, answers a probe
	WaitThrottle Wait = "throttled"    // for its turn under a rate limit
	WaitFlight   Wait = "in_flight"    // until a request to the endpoint ends, because no more may be under way
	WaitOrder    Wait = "order"        // until the messages before it have ended
)

// Holds reports whether a delivery that waits for this counts as Held: it goes on only when something happens to its
// endpoint, not by itself.
func (w Wait) Holds() bool {
	switch w {
	case WaitPaused, WaitDisabled, WaitCircuit:
		return true
	default:
		return false
	}
}

// Waits are all of them but WaitNothing.
func Waits() []Wait {
	return []Wait{WaitTime, WaitPaused, WaitDisabled, WaitCircuit, WaitThrottle, WaitFlight, WaitOrder}
}

// HeldWaits are those that hold.
func HeldWaits() []Wait { return []Wait{WaitPaused, WaitDisabled, WaitCircuit} }
