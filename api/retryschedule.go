package api

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// duration is one as Svix writes it.
type duration struct {
	Secs  uint64 `json:"secs" doc:"Whole seconds."`
	Nanos uint32 `json:"nanos" maximum:"999999999" doc:"The rest, in nanoseconds."`
}

// retryScheduleInOut is both what is set and what is shown.
type retryScheduleInOut struct {
	RetrySchedule []duration `json:"retrySchedule" required:"false" maxItems:"50" doc:"The waits between the attempts, each above 0 and up to 30 days, at most 50 of them. Empty: a single attempt. Null: no schedule of its own."`
}

// read returns nil for a schedule that is inherited.
func (in retryScheduleInOut) read() (*posthorn.Schedule, error) {
	if in.RetrySchedule == nil {
		return nil, nil
	}
	schedule := make(posthorn.Schedule, len(in.RetrySchedule))
	for i, wait := range in.RetrySchedule {
		// What would overflow is far beyond the limit, and so is the limit twice.
		secs := min(wait.Secs, uint64(2*posthorn.MaxRetryWait/time.Second))
		schedule[i] = time.Duration(secs)*time.Second + time.Duration(wait.Nanos)
	}
	if err := schedule.Check(); err != nil {
		return nil, invalidField("body.retrySchedule", "%s", err)
	}
	return &schedule, nil
}

func showSchedule(schedule *posthorn.Schedule) *answer[retryScheduleInOut] {
	if schedule == nil {
		return &answer[retryScheduleInOut]{}
	}
	out := make([]duration, len(*schedule))
	for i, wait := range *schedule {
		out[i] = duration{Secs: uint64(wait / time.Second), Nanos: uint32(wait % time.Second)}
	}
	return &answer[retryScheduleInOut]{Body: retryScheduleInOut{out}}
}

func (s *Server) getTypeSchedule(ctx context.Context, in *EventTypePath) (*answer[retryScheduleInOut], error) {
	found, err := s.store.EventType(ctx, callerOf(ctx).org, in.Name)
	if err != nil {
		return nil, err
	}
	return showSchedule(found.RetrySchedule), nil
}

type setTypeScheduleIn struct {
	EventTypePath
	Body retryScheduleInOut
}

func (s *Server) setTypeSchedule(ctx context.Context, in *setTypeScheduleIn) (*answer[retryScheduleInOut], error) {
	schedule, err := in.Body.read()
	if err != nil {
		return nil, err
	}
	changed, err := s.store.UpdateEventType(ctx, callerOf(ctx).org, in.Name, func(et *posthorn.EventType) error {
		et.RetrySchedule, et.UpdatedAt = schedule, s.clock()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return showSchedule(changed.RetrySchedule), nil
}

func (s *Server) getEndpointSchedule(ctx context.Context, in *EndpointPath) (*answer[retryScheduleInOut], error) {
	found, err := s.endpoint(ctx, *in)
	if err != nil {
		return nil, err
	}
	return showSchedule(found.RetrySchedule), nil
}

type setEndpointScheduleIn struct {
	EndpointPath
	Body retryScheduleInOut
}

func (s *Server) setEndpointSchedule(ctx context.Context, in *setEndpointScheduleIn) (*answer[retryScheduleInOut], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	schedule, err := in.Body.read()
	if err != nil {
		return nil, err
	}
	changed, err := s.store.UpdateEndpoint(ctx, owner.ID, in.EndpointID, func(e *posthorn.Endpoint) error {
		e.RetrySchedule, e.UpdatedAt = schedule, s.clock()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return showSchedule(changed.RetrySchedule), nil
}
