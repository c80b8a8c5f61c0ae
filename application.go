package posthorn

import "time"

// Application is a customer of the platform team: the owner of endpoints, and the addressee of messages.
type Application struct {
	ID           string
	OrgID        string
	UID          string // the platform team's own name for it, unique in the organisation; empty if none
	Name         string
	ThrottleRate int // messages per second to all its endpoints; 0 = no limit
	Metadata     map[string]string
	CreatedAt    time.Time
	UpdatedAt    time.Time
}
