package api

import (
	"context"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const (
	// maxVerdicts bounds the memory of the cache: tokens beyond are looked up when they are next used.
	maxVerdicts = 16_384
	// maxVerdictAge bounds how long a revocation that another process made can go unnoticed.
	maxVerdictAge = 10 * time.Second
	// endless is further ahead than any token lasts that is meant to end. Beyond it a revocation is kept for good.
	endless = 100 * 365 * 24 * time.Hour
)

// revocations knows from memory which tokens are revoked. It asks the store about a token once in ten seconds, and
// forgets everything when this process revokes something.
type revocations struct {
	store store.Revocations
	now   func() time.Time
	loads singleflight.Group
	known *lru.Cache[string, verdict]

	mu      sync.Mutex // of what follows, and of additions to known
	changes uint64     // so that an answer which a revocation overtook is not kept
}

// verdict is what is known of a token.
type verdict struct {
	revokedAt time.Time // zero: it is not
	foundAt   time.Time
}

func newRevocations(s store.Revocations, now func() time.Time) (*revocations, error) {
	known, err := lru.New[string, verdict](maxVerdicts)
	return &revocations{store: s, now: now, known: known}, err
}

// check refuses a token that is revoked. Unauthorized.
func (r *revocations) check(ctx context.Context, who caller) error {
	key := who.org + " " + who.token
	r.mu.Lock()
	changes := r.changes
	r.mu.Unlock()
	v, ok := r.known.Get(key)
	if !ok || r.now().Sub(v.foundAt) >= maxVerdictAge {
		// Requests join a look-up only if nothing was revoked since it began.
		found, err, _ := r.loads.Do(fmt.Sprintf("%s/%d", key, changes), func() (any, error) {
			return r.find(context.WithoutCancel(ctx), key, who, changes)
		})
		if err != nil {
			return fmt.Errorf("checking whether token %s is revoked: %w", who.token, err)
		}
		v = found.(verdict)
	}
	if v.revokedAt.IsZero() || r.now().Before(v.revokedAt) {
		return nil
	}
	return posthorn.Errorf(posthorn.Unauthorized, "Revoked token")
}

func (r *revocations) find(ctx context.Context, key string, who caller, changes uint64) (verdict, error) {
	v := verdict{foundAt: r.now()}
	found, err := r.store.RevocationsOf(ctx, who.org, who.subjects())
	if err != nil {
		return v, err
	}
	for _, revocation := range found {
		if who.concerns(revocation) && (v.revokedAt.IsZero() || revocation.At.Before(v.revokedAt)) {
			v.revokedAt = revocation.At
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes == changes {
		r.known.Add(key, v)
	}
	return v, nil
}

// revoke ends tokens: here at once, in other processes within ten seconds.
func (r *revocations) revoke(ctx context.Context, all ...posthorn.Revocation) error {
	err := r.store.Revoke(ctx, all, r.now())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes++
	r.known.Purge()
	return err
}

// subjects are what a revocation of the token can be about.
func (c caller) subjects() []string {
	subjects := []string{posthorn.TokenSubject(c.token)}
	if c.app != "" {
		subjects = append(subjects, posthorn.ApplicationSubject(c.app))
		if c.session != "" {
			subjects = append(subjects, posthorn.SessionSubject(c.app, c.session))
		}
	}
	return subjects
}

// concerns reports whether a revocation of one of the token's subjects is about it. A token of ours tells by its id when
// it was made, in order even within a millisecond. Others tell the second at best, and the whole second is revoked.
func (c caller) concerns(r posthorn.Revocation) bool {
	switch {
	case r.MadeBefore == "":
		return true
	case posthorn.TokenID.Valid(c.token):
		return c.token < r.MadeBefore
	default:
		return c.issued.Unix() <= posthorn.TokenID.Time(r.MadeBefore).Unix()
	}
}

// revocation ends this one token.
func (c caller) revocation(now time.Time) posthorn.Revocation {
	r := posthorn.Revocation{OrgID: c.org, Subject: posthorn.TokenSubject(c.token), At: now, Until: c.expires}
	if c.expires.Sub(now) > endless {
		r.Until = time.Time{}
	}
	return r
}
