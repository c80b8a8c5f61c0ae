package posthorn

import (
	"time"

	"github.com/posthorn/posthorn/signing"
)

// rotateSecret makes next the current secret and lets the replaced one sign on for the grace period. Secrets whose grace
// has ended are forgotten. It fails with LimitReached if MaxOldSecrets are still in their grace period.
func rotateSecret(secrets []Secret, next signing.Key, grace time.Duration, now time.Time) ([]Secret, error) {
	kept := []Secret{{Key: next}}
	for _, s := range secrets {
		if s.ExpiresAt.IsZero() {
			s.ExpiresAt = now.Add(grace)
		}
		if s.ExpiresAt.After(now) {
			kept = append(kept, s)
		}
	}
	if len(kept) > MaxOldSecrets+1 {
		return nil, Errorf(LimitReached, "at most %d replaced secrets can be in their grace period at once", MaxOldSecrets)
	}
	return kept, nil
}

// signingKeys returns the keys that sign at a moment: the current one and those whose grace period has not ended.
func signingKeys(secrets []Secret, now time.Time) []signing.Key {
	keys := make([]signing.Key, 0, len(secrets))
	for _, s := range secrets {
		if s.ExpiresAt.IsZero() || s.ExpiresAt.After(now) {
			keys = append(keys, s.Key)
		}
	}
	return keys
}
