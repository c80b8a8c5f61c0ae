package catalogue

import (
	"context"
	"fmt"

	"github.com/posthorn/posthorn"
)

// maxOwners bounds the memory for the organisations of applications.
const maxOwners = 10_000

// TypeFor returns the event type of an application's messages, and nil if the catalogue of the application's organisation
// doesn't have it. It is shared: don't change it.
func (t *Table) TypeFor(ctx context.Context, appID, name string) (*Type, error) {
	org, err := t.owner(ctx, appID)
	switch {
	case posthorn.CodeOf(err) == posthorn.NotFound:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the organisation of %s: %w", appID, err)
	}
	return t.Type(ctx, org, name)
}

func (t *Table) owner(ctx context.Context, appID string) (string, error) {
	t.mu.RLock()
	org, ok := t.owners[appID]
	t.mu.RUnlock()
	if ok {
		return org, nil
	}
	org, err := t.source.Owner(ctx, appID)
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for other := range t.owners {
		if len(t.owners) < maxOwners {
			break
		}
		delete(t.owners, other)
	}
	t.owners[appID] = org
	return org, nil
}
