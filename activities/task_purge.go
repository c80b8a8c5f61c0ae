package activities

import (
	"context"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

type purging = stepping[posthorn.PurgeInput, pageCursor, posthorn.PurgeData]

// purgeStep removes the payloads of the next messages of an application.
func (a *Activities) purgeStep(ctx context.Context, s *purging) (done bool, err error) {
	before := store.Before(posthorn.MessageID, s.Input.Before)
	purged, err := a.Store.PurgePayloads(ctx, s.Task.AppID, s.Cursor.After, before)
	if err != nil {
		return false, err
	}
	s.Data.Expunged += purged.Payloads
	s.Cursor = pageCursor{After: purged.Last}
	return purged.Done, nil
}
