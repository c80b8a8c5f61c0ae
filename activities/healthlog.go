package activities

import "github.com/posthorn/posthorn"

// HealthChanged tells operators of an endpoint that begins or ceases to fail for everybody.
func (a *Activities) HealthChanged(c posthorn.HealthChange) {
	with := []any{"endpoint", c.EndpointID, "failing_since", c.FailingSince}
	if c.Reason != "" {
		with = append(with, "reason", c.Reason)
	}
	if c.Event == posthorn.DisablingSoon {
		with = append(with, "disables_at", c.DisablesAt)
	}
	a.Logger.Info("endpoint: "+string(c.Event), with...)
}
