package activities

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/signing"
)

// attempt signs and posts a message to an endpoint once. It does not record what happened.
// scheduled is how many scheduled attempts the delivery has had; the attempt tells when the next one is due by the
// endpoint's schedule, or else by the one that it inherits.
func (a *Activities) attempt(
	m *posthorn.Message, ep *posthorn.Endpoint, trigger posthorn.Trigger, scheduled int, inherited posthorn.Schedule,
) posthorn.Attempt {
	schedule := inherited.OverriddenBy(ep.RetrySchedule)
	made := posthorn.Attempt{
		ID:         posthorn.AttemptID.New(),
		MessageID:  m.ID,
		AppID:      m.AppID,
		EndpointID: ep.ID,
		EventType:  m.EventType,
		Trigger:    trigger,
		URL:        egress.PublicURL(ep.URL),
		StartedAt:  a.Now(),
	}
	payload, version := m.PayloadFor(ep)
	header, err := signedHeader(m.ID, payload, ep, made.StartedAt)
	if err != nil {
		made.ErrorClass, made.Message = "signing", "the message could not be signed: "+err.Error()
		scheduleNext(&made, schedule, scheduled, 0)
		return made
	}
	if version != "" {
		header.Set(posthorn.HeaderPayloadVersion, version)
	}
	result := a.Egress.Post(a.sending, egress.Request{URL: ep.URL, Header: header, Body: payload})
	a.slow.observe(ep.ID, result.Duration, a.SlowAfter)

	made.Sent = sentHeader(result.Sent)
	made.Duration = result.Duration
	made.Success = result.Success()
	made.Status = result.Status
	made.Header = result.Header
	made.Body = result.Body
	made.Truncated = result.BodyTruncated
	made.ErrorClass = string(result.Class)
	made.Message = result.Message
	if !made.Success {
		a.failedAt(ep)
		scheduleNext(&made, schedule, scheduled, leastWait(result))
	}
	return made
}

// leastWait is how long the receiver is left in peace after a failed attempt, whatever the schedule says.
func leastWait(r egress.Result) time.Duration {
	switch {
	case r.Class == egress.Timeout,
		r.Status == http.StatusTooManyRequests, r.Status == http.StatusBadGateway, r.Status == http.StatusGatewayTimeout:
		return max(posthorn.MinBusyWait, r.RetryAfter)
	default:
		return r.RetryAfter
	}
}

func scheduleNext(made *posthorn.Attempt, schedule posthorn.Schedule, scheduled int, atLeast time.Duration) {
	if made.Trigger != posthorn.Automatic {
		return
	}
	if wait, again := schedule.Next(scheduled+1, atLeast); again {
		made.NextAt = made.StartedAt.Add(made.Duration).Add(wait)
		made.Failing = scheduled+1 >= schedule.FailingAfter()
	}
}

// signedHeader returns the request's header. The endpoint's own headers may replace Content-Type, nothing else of ours.
func signedHeader(id string, payload []byte, ep *posthorn.Endpoint, at time.Time) (http.Header, error) {
	signature, err := signing.Sign(id, at, payload, ep.SigningKeys(at)...)
	if err != nil {
		return nil, err
	}
	header := make(http.Header, len(ep.Headers)+4)
	header.Set("Content-Type", "application/json")
	for name, value := range ep.Headers {
		if http.CanonicalHeaderKey(name) == "Content-Type" {
			header.Del("Content-Type")
		}
		header[name] = []string{value}
	}
	header.Set(signing.HeaderID, id)
	header.Set(signing.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	header.Set(signing.HeaderSignature, signature)
	return header, nil
}

// maxLabel keeps a label within Temporal's limit of 400 bytes for a summary.
const maxLabel = 200

// Label names an endpoint's URL for people: host and path, without what could be secret.
func Label(url string) string {
	label := egress.Label(url)
	if len(label) > maxLabel {
		label = strings.ToValidUTF8(label[:maxLabel], "") + "…"
	}
	return label
}

// record writes facts that must not be lost: a request that was made can't be unmade, and an attempt without a record
// is made again. So it tries for a while where the database refuses.
func (a *Activities) record(ctx context.Context, r store.Record) ([]posthorn.Attempt, error) {
	r.Rules = a.Health
	ordered, err := a.Routes.Ordered(ctx, r.AppID)
	if err != nil {
		return nil, err
	}
	r.Ordered = ordered
	ctx = context.WithoutCancel(ctx) // what has happened is recorded, even if Temporal has lost interest in this run
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		attempts, err := a.Store.Record(ctx, r)
		if err == nil {
			return attempts, nil
		}
		if wait > time.Second {
			return nil, fmt.Errorf("recording %d attempts of %s: %w", len(r.Attempts), r.MessageID, err)
		}
		<-time.After(wait)
	}
}
