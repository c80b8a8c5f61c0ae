package api

import (
	"context"
	"slices"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// What the figures of an endpoint's health are taken from: the newest attempts of a while.
const (
	healthWindow = time.Hour
	healthSample = 200
)

// endpointHealthOut is how an endpoint does.
type endpointHealthOut struct {
	State               string         `json:"state" enum:"closed,open,half-open" doc:"Of its circuit: closed, messages are sent; open, they are held; half-open, they are held and one is being sent as a probe."`
	FailingSince        *time.Time     `json:"failingSince,omitempty" doc:"When the first attempt failed after which none has succeeded. Absent: the last one succeeded, or there was none."`
	ConsecutiveFailures int            `json:"consecutiveFailures" doc:"Messages whose first attempt has failed since then."`
	OpenedAt            *time.Time     `json:"openedAt,omitempty" doc:"When the circuit opened. Absent: it is closed."`
	NextProbeAt         *time.Time     `json:"nextProbeAt,omitempty" doc:"When the next probe is due. Absent: the circuit is closed, or a probe is being made."`
	WarnedAt            *time.Time     `json:"warnedAt,omitempty" doc:"When half of the time was over after which it is disabled."`
	DisablesAt          *time.Time     `json:"disablesAt,omitempty" doc:"From when on a further failure disables it. Absent: nothing does."`
	Recent              recentOut      `json:"recent" doc:"The newest attempts of the last hour, up to 200."`
	Held                heldByCauseOut `json:"held" doc:"Messages that go on only when something happens to the endpoint."`
}

type recentOut struct {
	Attempts    int      `json:"attempts" doc:"How many they are."`
	SuccessRate *float64 `json:"successRate,omitempty" doc:"The share of them that was answered with 2xx, 0 to 1. Absent: there were none."`
	P50Ms       *int64   `json:"p50Ms,omitempty" doc:"Half of them took no longer, in milliseconds."`
	P95Ms       *int64   `json:"p95Ms,omitempty" doc:"95 % of them took no longer, in milliseconds."`
}

type heldByCauseOut struct {
	Paused      int `json:"paused" doc:"Until it is resumed."`
	Disabled    int `json:"disabled" doc:"Until it is enabled."`
	CircuitOpen int `json:"circuit_open" doc:"Until it answers a probe."`
}

func (s *Server) getEndpointHealth(ctx context.Context, in *EndpointPath) (*answer[endpointHealthOut], error) {
	found, err := s.endpoint(ctx, *in)
	if err != nil {
		return nil, err
	}
	health, err := s.store.Health(ctx, found.ID)
	if err != nil {
		return nil, err
	}
	now := s.now()
	attempts, err := s.store.ListAttempts(ctx,
		store.AttemptFilter{EndpointID: found.ID, Window: store.Window{After: now.Add(-healthWindow)}},
		store.Page{Limit: healthSample, Descending: true})
	if err != nil {
		return nil, err
	}
	held, err := s.store.CountWaiting(ctx, found.ID)
	if err != nil {
		return nil, err
	}
	out := s.showHealth(&found, &health, now)
	out.Recent = recent(attempts.Items)
	out.Held = heldByCauseOut{held[posthorn.WaitPaused], held[posthorn.WaitDisabled], held[posthorn.WaitCircuit]}
	return &answer[endpointHealthOut]{Body: out}, nil
}

func (s *Server) showHealth(ep *posthorn.Endpoint, h *posthorn.Health, now time.Time) endpointHealthOut {
	out := endpointHealthOut{
		State: "closed", FailingSince: optionalTimestamp(h.FailingSince), ConsecutiveFailures: h.Failures,
		WarnedAt: optionalTimestamp(h.WarnedAt),
	}
	if !ep.Disabled {
		out.DisablesAt = optionalTimestamp(s.rules.DisablesAt(h))
	}
	if s.rules.Breaker == 0 || !h.Open() {
		return out
	}
	out.State, out.OpenedAt = "open", optionalTimestamp(h.OpenedAt)
	if h.Probing && now.Before(h.NextProbeAt) {
		out.State = "half-open"
	} else {
		out.NextProbeAt = optionalTimestamp(h.NextProbeAt)
	}
	return out
}

func recent(attempts []posthorn.Attempt) recentOut {
	out := recentOut{Attempts: len(attempts)}
	if len(attempts) == 0 {
		return out
	}
	took := make([]int64, len(attempts))
	succeeded := 0
	for i, a := range attempts {
		took[i] = a.Duration.Milliseconds()
		if a.Success {
			succeeded++
		}
	}
	slices.Sort(took)
	rate := float64(succeeded) / float64(len(attempts))
	out.SuccessRate, out.P50Ms, out.P95Ms = &rate, percentile(took, 50), percentile(took, 95)
	return out
}

// percentile is the least of sorted values that so many percent don't exceed.
func percentile(sorted []int64, percent int) *int64 {
	value := sorted[(len(sorted)*percent+99)/100-1]
	return &value
}
