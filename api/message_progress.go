package api

import (
	"context"

	"github.com/posthorn/posthorn"
)

// progressStates are counted by name, so that clients see zeros, too.
type progressStates struct {
	Pending   int `json:"pending" doc:"First attempt under way."`
	Retrying  int `json:"retrying" doc:"An attempt failed, and another is to come."`
	Delivered int `json:"delivered" doc:"Answered with 2xx."`
	Failed    int `json:"failed" doc:"All attempts failed."`
	Held      int `json:"held" doc:"Wait until their endpoint takes messages again."`
	Cancelled int `json:"cancelled" doc:"Will not be sent."`
}

type messageProgressOut struct {
	Endpoints   int            `json:"endpoints" doc:"How many endpoints there is a record of."`
	ByState     progressStates `json:"byState" doc:"How many of them are in each state."`
	StillToCome bool           `json:"stillToCome" doc:"Whether the first round is under way, in which further endpoints are recorded."`
}

func (s *Server) messageProgress(ctx context.Context, in *MessagePath) (*answer[messageProgressOut], error) {
	m, err := s.message(ctx, *in)
	if err != nil {
		return nil, err
	}
	// Asked first: what is recorded between the two is then counted, and no end is told too early.
	coming, err := s.store.IsUndispatched(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	counts, err := s.store.CountDeliveries(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	out := messageProgressOut{StillToCome: coming, ByState: progressStates{
		Pending: counts[posthorn.Pending], Retrying: counts[posthorn.Retrying], Delivered: counts[posthorn.Delivered],
		Failed: counts[posthorn.Failed], Held: counts[posthorn.Held], Cancelled: counts[posthorn.Cancelled],
	}}
	for _, n := range counts {
		out.Endpoints += n
	}
	return &answer[messageProgressOut]{Body: out}, nil
}
