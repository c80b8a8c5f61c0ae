package activities

import (
	"context"
	"maps"
	"sync"

	"golang.org/x/time/rate"
)

// manyApplications is how many applications are remembered before those that are in no hurry are forgotten.
const manyApplications = 1000

// leisure spreads work that nobody waits for, but comes in heaps, such as that of hundreds of endpoints that fail in the same
// moment: so many pieces per second for each application. Others have to write meanwhile.
type leisure struct {
	perSecond rate.Limit
	atOnce    int

	mu    sync.Mutex
	byApp map[string]*rate.Limiter
}

// wait waits for the time of the next piece, or until ctx ends: then everybody is in a hurry.
func (l *leisure) wait(ctx context.Context, appID string) { _ = l.limiter(appID).Wait(ctx) }

func (l *leisure) limiter(appID string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.byApp[appID]; known != nil {
		return known
	}
	if len(l.byApp) >= manyApplications {
		maps.DeleteFunc(l.byApp, func(_ string, known *rate.Limiter) bool { return known.Tokens() >= float64(l.atOnce) })
	}
	if l.byApp == nil {
		l.byApp = make(map[string]*rate.Limiter)
	}
	made := rate.NewLimiter(l.perSecond, l.atOnce)
	l.byApp[appID] = made
	return made
}
