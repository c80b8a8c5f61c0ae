package activities

import (
	"context"
	"net/http"
	"slices"

	"github.com/posthorn/posthorn"
)

// goneReason is why an endpoint is disabled that answered 410.
const goneReason = "it answered 410 Gone"

// disableGone disables the endpoints that have answered 410 Gone, which asks for no further messages. What waits for
// them is held. Should the database refuse, the next 410 does it.
func (a *Activities) disableGone(ctx context.Context, attempts []posthorn.Attempt) {
	var disabled []string
	for _, attempt := range attempts {
		if attempt.Status != http.StatusGone || slices.Contains(disabled, attempt.EndpointID) {
			continue
		}
		_, err := a.Store.UpdateEndpoint(ctx, attempt.AppID, attempt.EndpointID, func(e *posthorn.Endpoint) error {
			e.SetDisabled(true, goneReason)
			e.UpdatedAt = a.Now()
			return nil
		})
		switch posthorn.CodeOf(err) {
		case "":
			disabled = append(disabled, attempt.EndpointID)
			a.Logger.Info("endpoint disabled", "endpoint", attempt.EndpointID, "reason", goneReason)
		case posthorn.NotFound: // it was deleted meanwhile
		default:
			a.Logger.Error("an endpoint that is gone could not be disabled", "endpoint", attempt.EndpointID, "error", err)
		}
	}
}
