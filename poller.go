package posthorn

import (
	"time"

	"github.com/posthorn/posthorn/signing"
)

// MaxConsumers is how many consumers of one poller can have a position of their own.
const MaxConsumers = 1000

// Poller is a view of an application's messages for a customer who fetches them instead of being sent them.
type Poller struct {
	ID          string
	AppID       string
	UID         string // unique among the pollers of the application; empty if none
	Description string
	EventTypes  []string // the event types that it shows; empty = all
	Channels    []string // the channels that it shows; empty = all
	Disabled    bool
	Secrets     []Secret // sign what it shows: the current one first, then those in their grace period
	Start       string   // ID of the message behind which it begins: the newest one when it was made; empty if there was none
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// SigningKeys returns the keys that sign at a moment, as those of an endpoint do.
func (p *Poller) SigningKeys(now time.Time) []signing.Key { return signingKeys(p.Secrets, now) }

// RotateSecret replaces the current secret as that of an endpoint is replaced. LimitReached.
func (p *Poller) RotateSecret(next signing.Key, grace time.Duration, now time.Time) error {
	kept, err := rotateSecret(p.Secrets, next, grace, now)
	if err != nil {
		return err
	}
	p.Secrets = kept
	return nil
}
