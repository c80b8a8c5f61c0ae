package api

import (
	"cmp"
	"context"

	"github.com/posthorn/posthorn"
)

// pauseEndpoint lets an endpoint's messages wait until it is resumed. To pause it again changes nothing.
func (s *Server) pauseEndpoint(ctx context.Context, in *EndpointPath) (*answer[EndpointOut], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	paused, err := s.store.UpdateEndpoint(ctx, owner.ID, in.EndpointID, func(e *posthorn.Endpoint) error {
		if e.PausedAt.IsZero() {
			e.PausedAt, e.UpdatedAt = s.clock(), s.clock()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &answer[EndpointOut]{Body: showEndpoint(paused)}, nil
}

// heldMode says what becomes of held messages.
type heldMode string

const (
	sendHeld heldMode = "send"
	dropHeld heldMode = "drop"
)

type resumeIn struct {
	Held heldMode `json:"held,omitempty" enum:"send,drop" doc:"What becomes of the messages that are held: send them, the oldest first, or drop them, which cancels their deliveries. Default: send."`
	Rate int      `json:"rate,omitempty" minimum:"1" maximum:"65535" doc:"How many held messages are sent in a second at most. Default: 50. A lower throttleRate is kept, too."`
}

func (in *resumeIn) release() posthorn.Release {
	return posthorn.Release{Rate: cmp.Or(in.Rate, posthorn.DefaultReleaseRate), Drop: in.Held == dropHeld}
}

type resumeEndpointIn struct {
	EndpointPath
	Body *resumeIn `required:"false"`
}

// resumeEndpoint has an endpoint take messages again, whether it was paused or disabled, and lets go what was held.
func (s *Server) resumeEndpoint(ctx context.Context, in *resumeEndpointIn) (*answer[EndpointOut], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	body := cmp.Or(in.Body, &resumeIn{})
	resumed, err := s.store.ResumeEndpoint(ctx, owner.ID, in.EndpointID, body.release(), s.clock())
	if err != nil {
		return nil, err
	}
	return &answer[EndpointOut]{Body: showEndpoint(resumed)}, nil
}

// waitingOut counts what waits for an endpoint.
type waitingOut struct {
	Held    int           `json:"held" doc:"Messages that go on only when something happens to the endpoint: it is resumed, enabled, or answers again."`
	Waiting waitingCounts `json:"waiting" doc:"All open messages that can't be sent just now, by what they wait for."`
}

type waitingCounts struct {
	Scheduled   int `json:"scheduled" doc:"For the time at which they are to be delivered."`
	Paused      int `json:"paused" doc:"Until the endpoint is resumed."`
	Disabled    int `json:"disabled" doc:"Until the endpoint is enabled."`
	CircuitOpen int `json:"circuit_open" doc:"Until the endpoint, which has failed for message after message, answers a probe."`
	Throttled   int `json:"throttled" doc:"For their turn under a rate limit."`
	InFlight    int `json:"in_flight" doc:"Until a request to the endpoint ends."`
	Order       int `json:"order" doc:"Until the messages before them have ended."`
}

func (s *Server) countWaiting(ctx context.Context, in *EndpointPath) (*answer[waitingOut], error) {
	found, err := s.endpoint(ctx, *in)
	if err != nil {
		return nil, err
	}
	counts, err := s.store.CountWaiting(ctx, found.ID)
	if err != nil {
		return nil, err
	}
	out := waitingOut{Waiting: waitingCounts{
		Scheduled: counts[posthorn.WaitTime], Paused: counts[posthorn.WaitPaused], Disabled: counts[posthorn.WaitDisabled],
		CircuitOpen: counts[posthorn.WaitCircuit], Throttled: counts[posthorn.WaitThrottle], InFlight: counts[posthorn.WaitFlight],
		Order: counts[posthorn.WaitOrder],
	}}
	for _, w := range posthorn.HeldWaits() {
		out.Held += counts[w]
	}
	return &answer[waitingOut]{Body: out}, nil
}
