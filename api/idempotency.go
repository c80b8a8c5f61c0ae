package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/google/uuid"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const (
	keyHeader      = "Idempotency-Key"
	replayedHeader = "Idempotent-Replayed"
	// maxKey is the longest key, in characters.
	maxKey = 256
	// answerLife is how long the answer to a request with a key is given again.
	answerLife = 24 * time.Hour
	// maxHandling bounds the execution of a request with a key. It goes on when the caller hangs up, who may come back for
	// the answer.
	maxHandling = time.Minute
	// claimLease is after what time the request of a process that died may be executed by another. It is so much longer
	// than maxHandling that no request which is still being executed can be overtaken.
	claimLease = 2 * time.Minute
	// maxWaiting bounds the wait for a request that another process executes; the caller is then asked to come again.
	maxWaiting = 20 * time.Second
	// firstPoll is when the other process's claim is looked at again, and half of what the longest wait between two looks is.
	firstPoll = 50 * time.Millisecond
	// bodyReadTimeout is how long a body may take to arrive where the operation doesn't say otherwise; huma's default.
	bodyReadTimeout = 5 * time.Second
)

// settlesKey marks operations that settle their claim by themselves, in the commit that stores what they make.
const settlesKey = "settles"

// settling marks an operation. It finds the key with onceOf, and has to begin by asking whether the claim is settled.
func settling(register registration) registration {
	return func(wire huma.API, op huma.Operation) {
		op.Metadata[settlesKey] = true
		register(wire, op)
	}
}

// idempotent is the layer that executes a POST with an Idempotency-Key once: to repeat the request within a day gives the
// first answer again. Only answers of success are kept; after any other, the next request with the key is executed.
//
// The claim is stored before the request is executed and the answer after that, so a crash in between leaves it open
// whether the request had an effect, and it is executed again. Operations that settle their claim do better: what they
// make and their claim are one commit.
func (s *Server) idempotent(ctx huma.Context, next func(huma.Context)) {
	if ctx.Method() != http.MethodPost {
		next(ctx)
		return
	}
	x := exchangeOf(ctx)
	key, err := keyOf(x)
	if err != nil {
		s.writeError(x, err)
		return
	}
	who := callerOf(x.Context())
	if key == "" || who.org == "" {
		next(x)
		return
	}
	body, err := readBody(x)
	if err != nil {
		s.writeError(x, err)
		return
	}
	url := x.URL()
	k := &keyedRequest{Server: s, x: x, next: next, key: key, claim: store.Claim{
		ID:          digest(who.org, who.app, x.Method(), url.Path, key),
		Fingerprint: digest(url.RawQuery, string(body)),
	}}
	x.humaContext = &rereadable{humaContext: x.humaContext, body: bytes.NewReader(body)}
	if err := k.run(); err != nil {
		s.writeError(x, err)
	}
}

// keyOf returns the request's key, and an empty string if it has none.
func keyOf(x *exchange) (string, error) {
	keys := humagin.Unwrap(x).Request.Header.Values(keyHeader)
	switch {
	case len(keys) == 0:
		return "", nil
	case len(keys) > 1:
		return "", errKey("is there %d times", len(keys))
	case keys[0] == "" || len(keys[0]) > maxKey || strings.ContainsFunc(keys[0], func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errKey("must be 1 to %d visible characters of ASCII", maxKey)
	default:
		return keys[0], nil
	}
}

func errKey(format string, args ...any) error {
	return invalidField("header.idempotency-key", format, args...)
}

func errKeyReused() error {
	return errKey("was used for a request with another body or query; a new request needs a new key")
}

// digest is a short name for a list of texts.
func digest(parts ...string) []byte {
	h := sha256.New()
	for _, part := range parts {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // writing to a hash does not fail
		_, _ = io.WriteString(h, part)
	}
	return h.Sum(nil)[:16]
}

// readBody reads the whole body, up to the operation's limit.
func readBody(x *exchange) ([]byte, error) {
	op, request := x.Operation(), humagin.Unwrap(x).Request
	limit := bodyLimit(op)
	wait := op.BodyReadTimeout
	if wait <= 0 {
		wait = bodyReadTimeout
	}
	_ = x.SetReadDeadline(time.Now().Add(wait)) // a writer that knows no deadlines is a test's
	var body bytes.Buffer
	if request.ContentLength > 0 {
		body.Grow(int(request.ContentLength) + bytes.MinRead)
	}
	_, err := body.ReadFrom(io.LimitReader(x.BodyReader(), limit+1))
	// What is left of the deadline would end the request while it waits or is executed.
	_ = x.SetReadDeadline(time.Time{})
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return nil, fail(http.StatusRequestTimeout, "generic_error", "The body did not arrive in time")
	}
	if err != nil {
		return nil, fail(http.StatusBadRequest, "generic_error", "The body did not arrive in whole")
	}
	if int64(body.Len()) > limit {
		return nil, tooLarge(limit)
	}
	return body.Bytes(), nil
}

// rereadable has a body that is in memory already.
type rereadable struct {
	humaContext
	body io.Reader
}

func (r *rereadable) Unwrap() huma.Context              { return r.humaContext }
func (r *rereadable) BodyReader() io.Reader             { return r.body }
func (r *rereadable) SetReadDeadline(_ time.Time) error { return nil }

// keyedRequest is a request with a key.
type keyedRequest struct {
	*Server
	x     *exchange
	next  func(huma.Context)
	key   string
	claim store.Claim // as it will be made
}

// run gives the first request's answer, or executes the request. Of those that arrive at this process together, the
// first is executed while the others wait; a request that another process executes is waited for by looking at its claim.
func (k *keyedRequest) run() error {
	ctx := k.x.Context()
	leave, err := k.open.enter(ctx, string(k.claim.ID))
	if err != nil {
		return posthorn.Errorf(posthorn.Unavailable, "waiting for the first request with the key: %w", err)
	}
	defer leave()
	unwatched := context.WithoutCancel(ctx) // to read one row takes less than to be ready for the caller's hanging up
	deadline := time.Now().Add(k.open.wait)
	for poll := firstPoll; ; poll = min(2*poll, 10*firstPoll) {
		found, err := k.store.Claim(unwatched, k.claim.ID, k.now())
		switch {
		case posthorn.CodeOf(err) == posthorn.NotFound:
			if done, err := k.execute(); done || err != nil {
				return err
			}
		case err != nil:
			return err
		case !bytes.Equal(found.Fingerprint, k.claim.Fingerprint):
			return errKeyReused()
		case found.Settled():
			k.settle(found, true)
			return nil
		case found.Answered():
			return k.replay(found)
		}
		if time.Now().After(deadline) {
			return posthorn.Errorf(posthorn.Unavailable, "another process is at the first request with the key")
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return posthorn.Errorf(posthorn.Unavailable, "waiting for another process: %w", ctx.Err())
		}
	}
}

// execute has the request executed, unless another process has just claimed it.
func (k *keyedRequest) execute() (done bool, err error) {
	now := k.now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.x.ctx), maxHandling)
	defer cancel()
	k.x.ctx = ctx
	if settles, _ := k.x.Operation().Metadata[settlesKey].(bool); settles {
		k.claim.CreatedAt, k.claim.ExpiresAt = now, now.Add(answerLife)
		k.settle(k.claim, false)
		return true, nil
	}
	k.claim.Owner = uuid.NewString()
	k.claim.CreatedAt, k.claim.ExpiresAt = now, now.Add(k.open.lease)
	err = k.store.CreateClaim(ctx, k.claim)
	if posthorn.CodeOf(err) == posthorn.Conflict {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, k.record()
}

// settle leaves the claim to the operation.
func (k *keyedRequest) settle(claim store.Claim, settled bool) {
	k.x.once = &once{claim: claim, settled: settled}
	k.x.ctx = context.WithValue(k.x.ctx, onceKey{}, k.x.once)
	k.next(k.x)
}

// once is the key of a request, for an operation that settles its claim.
type once struct {
	claim    store.Claim
	settled  bool // an earlier request has settled the claim: it tells the answer
	replayed bool // the operation has answered as the earlier request was answered
}

type onceKey struct{}

// onceOf returns nil for a request without a key.
func onceOf(ctx context.Context) *once {
	o, _ := ctx.Value(onceKey{}).(*once)
	return o
}

func (o *once) isSettled() bool { return o != nil && o.settled }

// toSettle is the claim to store; nil without a key.
func (o *once) toSettle() *store.Claim {
	if o == nil {
		return nil
	}
	return &o.claim
}

// settledBy finds out what another process, which was quicker to settle the claim, has made. NotFound: none was.
func (s *Server) settledBy(ctx context.Context, o *once) error {
	found, err := s.store.Claim(ctx, o.claim.ID, s.now())
	if err != nil {
		return err
	}
	if !bytes.Equal(found.Fingerprint, o.claim.Fingerprint) {
		return errKeyReused()
	}
	o.claim, o.settled = found, true
	return nil
}
