package sqlstore

import (
	"context"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// The locks. Where several transactions write at the same time, each holds the locks of what it decides upon, from before
// it reads until it has ended. All of them are taken at once and in one order, so that no two transactions wait for each
// other: a transaction that finds out later which locks it needs begins anew with them.
//
// What a lock is for: a message, its deliveries and attempts; an endpoint, its health, queue, requests and need of
// attention; an application; an event type; a name that has to be unique; what housekeeping removes.

func messageLock(id string) string { return "message " + id }

func endpointLock(id string) string { return "endpoint " + id }

func applicationLock(id string) string { return "application " + id }

// uidLock is that of a name within an owner's things of a kind.
func uidLock(kind, owner, name string) string { return kind + " " + owner + " " + name }

func catalogueLock(org string) string { return "catalogue " + org }

func pollerLock(id string) string { return "poller " + id }

func claimLock(id []byte) string { return "claim " + string(id) }

func taskLock(id string) string { return "task " + id }

// revocationLock is held by whoever revokes.
const revocationLock = "revocation"

// removalLock is held by whoever removes what is old, lest two remove the same.
const removalLock = "removal"

// sealLock is held by the first who seals secrets.
const sealLock = "seal"

// lockEndpoints locks all endpoints of an application.
func (s *Session) lockEndpoints(ctx context.Context, appID string) error {
	endpoints, err := all(ctx, s, func(id *string) []any { return []any{id} }, "SELECT id FROM endpoint WHERE app_id = ? AND deleted_at IS NULL", appID)
	if err != nil {
		return err
	}
	locks := make([]string, len(endpoints))
	for i, id := range endpoints {
		locks[i] = endpointLock(id)
	}
	return s.lock(locks...)
}

// eventLocks are those of the event IDs of new messages.
func eventLocks(ms ...posthorn.Message) (locks []string) {
	for i := range ms {
		if ms[i].EventID != "" {
			locks = append(locks, uidLock("event", ms[i].AppID, ms[i].EventID))
		}
	}
	return locks
}

// messageLocks are those of the messages of some things.
func messageLocks[T any](things []T, message func(*T) string) []string {
	locks := make([]string, len(things))
	for i := range things {
		locks[i] = messageLock(message(&things[i]))
	}
	return locks
}

func messageOfRow(d *deliveryRow) string { return d.MessageID }

// lockFound locks the messages of the deliveries that it finds, and returns these as they are then.
func (s *Session) lockFound(ctx context.Context, find func() ([]deliveryRow, error)) ([]deliveryRow, error) {
	for {
		found, err := find()
		if err != nil {
			return nil, err
		}
		locks := messageLocks(found, messageOfRow)
		if s.tx.Locked(locks...) {
			return found, nil
		}
		if err := s.lockNow(ctx, locks...); err != nil {
			return nil, err
		}
	}
}

// recordLocks are those that a record is sure to need: the message's, and those of endpoints at which attempts failed or
// for which something waits.
func recordLocks(r *store.Record) []string {
	locks := []string{messageLock(r.MessageID)}
	for i := range r.Attempts {
		if !r.Attempts[i].Success {
			locks = append(locks, endpointLock(r.Attempts[i].EndpointID))
		}
	}
	for i := range r.Waiting {
		locks = append(locks, endpointLock(r.Waiting[i].EndpointID))
	}
	return locks
}

// deliveryLocks are those of a turn or a request, and of the delivery that may have to wait for it.
func deliveryLocks(endpointID, messageID string) []string {
	locks := []string{endpointLock(endpointID)}
	if messageID != "" {
		locks = append(locks, messageLock(messageID))
	}
	return locks
}
