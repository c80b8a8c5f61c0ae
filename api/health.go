package api

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// healthTimeout bounds a health check, so that a load balancer gets its answer.
const healthTimeout = 3 * time.Second

// healthOut is the body of a failed health check.
type healthOut struct {
	Database componentHealth `json:"database" doc:"The database of messages and attempts."`
	Temporal componentHealth `json:"temporal" doc:"What carries deliveries through."`
}

type componentHealth struct {
	Status string `json:"status" enum:"ok,error" doc:"Whether it answers."`
}

// health answers 204 if the database and Temporal do, otherwise 503 and which does not. Why is for the log.
func (s *Server) health(ctx context.Context, _ *struct{}) (*nothing, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	var out healthOut
	var wg sync.WaitGroup
	wg.Go(func() { out.Database = s.probe(ctx, "database", s.store.Ping) })
	wg.Go(func() { out.Temporal = s.probe(ctx, "temporal", s.dispatcher.Ping) })
	wg.Wait()
	if out.Database.Status != "ok" || out.Temporal.Status != "ok" {
		return nil, &failure{status: http.StatusServiceUnavailable, header: http.Header{retryAfterHeader: {"1"}}, body: out}
	}
	return nil, nil
}

func (s *Server) probe(ctx context.Context, component string, ping func(context.Context) error) componentHealth {
	if err := ping(ctx); err != nil {
		s.log.LogAttrs(ctx, slog.LevelWarn, "health check failed", requestID(ctx), slog.String("component", component), slog.Any("error", err))
		return componentHealth{Status: "error"}
	}
	return componentHealth{Status: "ok"}
}

func (s *Server) ping(context.Context, *struct{}) (*nothing, error) { return nil, nil }
