package posthorn

import "time"

// Revocation ends bearer tokens before they expire: one token, those of an application, or those of one session of an
// application. Build the subject with TokenSubject, ApplicationSubject or SessionSubject.
type Revocation struct {
	OrgID   string
	Subject string
	// MadeBefore is an identifier of kind TokenID: only tokens that were made before it are revoked. Empty means that it
	// doesn't matter when.
	MadeBefore string
	At         time.Time // it holds from this moment on
	Until      time.Time // by then all that it ends has expired by itself; zero = unknown, so it is kept for good
}

// TokenSubject is the one token that has an id.
func TokenSubject(id string) string { return "token:" + id }

// ApplicationSubject is every token of an application.
func ApplicationSubject(appID string) string { return "app:" + appID }

// SessionSubject is every token of an application that was made for a session.
func SessionSubject(appID, session string) string { return "session:" + appID + ":" + session }
