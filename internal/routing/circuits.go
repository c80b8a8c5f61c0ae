package routing

import (
	"context"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/posthorn/posthorn"
)

// HealthSource is the part of the store that Circuits read.
type HealthSource interface {
	OpenCircuits(ctx context.Context) ([]posthorn.Health, error)
	OnHealthChange(f func(posthorn.HealthChange))
}

// Circuits answer from memory whether an endpoint's circuit is open. There are few that are, so they are read together:
// when one has changed, and after maxAge, because another process may have changed one. They are safe for concurrent use.
type Circuits struct {
	source HealthSource
	now    func() time.Time
	loads  singleflight.Group

	mu       sync.RWMutex
	open     map[string]posthorn.Health
	loadedAt time.Time
	changes  uint64 // counts changes, so that a load which one overtook is not kept
}

// NewCircuits returns circuits that are read from source and follow its changes.
func NewCircuits(source HealthSource) *Circuits {
	c := &Circuits{source: source, now: time.Now}
	source.OnHealthChange(func(posthorn.HealthChange) { c.forget() })
	return c
}

// Open reports whether an endpoint's circuit is open, and its health if it is.
func (c *Circuits) Open(ctx context.Context, endpointID string) (posthorn.Health, bool, error) {
	c.mu.RLock()
	open, fresh, changes := c.open, c.now().Sub(c.loadedAt) < maxAge, c.changes
	c.mu.RUnlock()
	if !fresh {
		loaded, err, _ := c.loads.Do(strconv.FormatUint(changes, 10), func() (any, error) {
			return c.load(context.WithoutCancel(ctx), changes)
		})
		if err != nil {
			return posthorn.Health{}, false, err
		}
		open = loaded.(map[string]posthorn.Health)
	}
	h, found := open[endpointID]
	return h, found, nil
}

func (c *Circuits) load(ctx context.Context, changes uint64) (map[string]posthorn.Health, error) {
	at := c.now()
	list, err := c.source.OpenCircuits(ctx)
	if err != nil {
		return nil, err
	}
	open := make(map[string]posthorn.Health, len(list))
	for _, h := range list {
		open[h.EndpointID] = h
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		c.open, c.loadedAt = open, at
	}
	return open, nil
}

func (c *Circuits) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	c.loadedAt = time.Time{}
}
