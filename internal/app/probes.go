package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// probeTimeout bounds the look at one part of the process, so that whoever asks gets an answer.
const probeTimeout = 3 * time.Second

// Where a process tells how it is. Both need no token.
const (
	livePath  = "/healthz" // 200 as long as it runs: to start it again is of no use
	readyPath = "/readyz"  // 200 if requests can be sent to it, else 503 and why not
)

// probes tell whether a process is ready.
type probes struct {
	log      *slog.Logger
	stopping atomic.Bool // it has been told to stop and goes on for a little
	parts    []part
}

// part is something that a process needs to be ready.
type part struct {
	name string
	look func(context.Context) error // nil if all is well
}

// condition is how a part is, as readyPath tells it.
type condition struct {
	Status string `json:"status"`
}

var (
	wellCondition     = condition{"ok"}
	illCondition      = condition{"error"}
	stoppingCondition = condition{"stopping"}
)

func (p *probes) add(name string, look func(context.Context) error) {
	p.parts = append(p.parts, part{name, look})
}

// handler answers the questions about the process, and hands everything else on. Callers of a process that stops are told to
// use another connection the next time.
func (p *probes) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		asks := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case asks && r.URL.Path == livePath:
			answerProbe(w, http.StatusOK, map[string]condition{"process": wellCondition})
		case asks && r.URL.Path == readyPath:
			status, all := p.ready(r.Context())
			answerProbe(w, status, all)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (p *probes) ready(ctx context.Context) (status int, all map[string]condition) {
	if p.stopping.Load() {
		return http.StatusServiceUnavailable, map[string]condition{"process": stoppingCondition}
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	found := make([]error, len(p.parts))
	var looking sync.WaitGroup
	for i, part := range p.parts {
		looking.Go(func() { found[i] = part.look(ctx) })
	}
	looking.Wait()
	status, all = http.StatusOK, make(map[string]condition)
	for i, part := range p.parts {
		all[part.name] = wellCondition
		if found[i] != nil {
			status, all[part.name] = http.StatusServiceUnavailable, illCondition
			p.log.Warn("not ready", "part", part.name, "error", found[i])
		}
	}
	return status, all
}

func answerProbe(w http.ResponseWriter, status int, all map[string]condition) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if status != http.StatusOK {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(all) // who asked has gone away
}
