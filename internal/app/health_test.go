package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/workflows"
)

// mortal is a receiver that answers 500 while it is dead.
type mortal struct {
	*receiver
	alive   atomic.Bool
	refused atomic.Int64 // requests that it answered while it was dead
}

func (m *mortal) revive() { m.alive.Store(true) }

// dead adds an endpoint whose receiver is dead, and returns its ID too.
func (b *bundle) dead(t *testing.T) (*mortal, string) {
	t.Helper()
	m := &mortal{}
	m.receiver = newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		if !m.alive.Load() {
			m.refused.Add(1)
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	return m, b.endpoint(svix.EndpointIn{Url: m.URL}).Id
}

// health is an endpoint's health as the API shows it.
type health struct {
	State                                                     string
	FailingSince, OpenedAt, NextProbeAt, WarnedAt, DisablesAt *time.Time
	ConsecutiveFailures                                       int
	Recent                                                    struct {
		Attempts     int
		SuccessRate  *float64
		P50Ms, P95Ms *int64
	}
	Held map[string]int
}

func (b *bundle) health(endpointID string) health {
	b.t.Helper()
	var out health
	status, answer := b.request(http.MethodGet, "/endpoint/"+endpointID+"/health", "")
	require.Equal(b.t, http.StatusOK, status, "%s", answer)
	require.NoError(b.t, json.Unmarshal(answer, &out))
	return out
}

func (b *bundle) waitHealth(endpointID string, enough func(health) bool) health {
	b.t.Helper()
	var last health
	require.Eventually(b.t, func() bool {
		last = b.health(endpointID)
		return enough(last)
	}, patience, 20*time.Millisecond, "waiting for the health of %s", endpointID)
	return last
}

// openCircuit sends to a dead endpoint until its circuit opens, one message at a time, and returns the messages.
func (b *bundle) openCircuit(endpointID string, failures int) (sent []string) {
	b.t.Helper()
	for n := 1; n <= failures; n++ {
		sent = append(sent, b.send("a", fmt.Sprintf(`{"n":%d}`, n)))
		b.waitHealth(endpointID, func(h health) bool { return h.ConsecutiveFailures == n })
	}
	require.NotEqual(b.t, "closed", b.health(endpointID).State)
	return sent
}

// triggers counts the attempts at an endpoint by what caused them.
func (b *bundle) triggers(endpointID string) map[posthorn.Trigger]int {
	b.t.Helper()
	count := map[posthorn.Trigger]int{}
	status, body := b.request(http.MethodGet, "/attempt/endpoint/"+endpointID+"?limit=250", "")
	require.Equal(b.t, http.StatusOK, status, "%s", body)
	var list struct{ Data []attempt }
	require.NoError(b.t, json.Unmarshal(body, &list))
	for _, a := range list.Data {
		count[a.Trigger]++
		require.Zero(b.t, a.TriggerType, "clients know of 0 and 1 only")
	}
	return count
}

func (b *bundle) waitProbes(endpointID string, n int) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return b.triggers(endpointID)[posthorn.Probe] >= n }, patience, 50*time.Millisecond)
}

// ownHealth starts a Posthorn that no other test uses, with rules of its own, whose retries are far apart.
func ownHealth(t *testing.T, rules config.Health, schedule ...time.Duration) (*bundle, string) {
	t.Helper()
	dir := t.TempDir()
	cfg := testConfig(dir)
	cfg.Health, cfg.RetrySchedule = rules, schedule
	a, err := app.New(cfg, "", quiet())
	require.NoError(t, err)
	require.NoError(t, a.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return setupOn(t, a), dir
}

func TestADeadEndpointCostsAProbePerInterval(t *testing.T) {
	t.Parallel()
	const messages, failures = 200, 10
	b, _ := ownHealth(t, config.Health{BreakerFailures: failures, BreakerProbeInterval: time.Second}, 8*time.Second, 8*time.Second, 8*time.Second)
	rec, ep := b.dead(t)
	neighbour := newReceiver(t, nil)
	other := b.endpoint(svix.EndpointIn{Url: neighbour.URL}).Id

	sent := b.openCircuit(ep, failures)
	for n := failures; n < messages; n++ {
		sent = append(sent, b.send("a", fmt.Sprintf(`{"n":%d}`, n)))
	}
	neighbour.wait(t, messages)
	require.Equal(t, "closed", b.health(other).State)
	b.waitHeld(ep, messages) // those that opened it, too, when their next attempt is due
	b.waitProbes(ep, 3)
	h := b.health(ep)
	require.NotEqual(t, "closed", h.State)
	require.NotNil(t, h.OpenedAt)
	require.Equal(t, messages, h.Held["circuit_open"])
	require.Zero(t, *h.Recent.SuccessRate)
	require.Equal(t, failures, h.ConsecutiveFailures, "probes and retries are no news of other messages")

	rec.revive()
	b.waitHealth(ep, func(h health) bool { return h.State == "closed" && h.Held["circuit_open"] == 0 })
	for _, id := range sent {
		require.Eventually(t, func() bool {
			return !slices.ContainsFunc(b.destinations(id), func(d destination) bool { return d.State != posthorn.Delivered })
		}, patience, 20*time.Millisecond)
	}
	probes := b.triggers(ep)[posthorn.Probe]
	require.EqualValues(t, failures+probes-1, rec.refused.Load(), "one request for each message that opened the circuit, and for each probe")
	requests := rec.all()
	require.Len(t, requests, failures+probes-1+messages, "what was held is sent once")
	secret := b.secret(ep)
	for _, r := range requests {
		verify(t, secret, r)
	}
}

func TestDeliveriesEndInTimeWhileTheCircuitIsOpen(t *testing.T) {
	t.Parallel()
	b, dir := ownHealth(t, config.Health{BreakerFailures: 1, BreakerProbeInterval: 24 * time.Hour}, time.Hour)
	_, ep := b.dead(t)
	b.openCircuit(ep, 1)
	id := b.send("a", `{}`)
	held := b.waitState(id, posthorn.Held)
	require.Equal(t, "the endpoint fails for every message; it is probed until it answers", held.Reason)
	require.Zero(t, held.Attempts)
	require.WithinDuration(t, time.Now().Add(posthorn.Schedule{time.Hour}.Window(8*time.Second)), *held.NextAttempt, time.Minute, "its own deadline")

	// A month passes.
	db := database(t, dir)
	_, err := db.ExecContext(b.ctx, "UPDATE message SET created_at = created_at - ? WHERE id = ?", (30 * 24 * time.Hour).Microseconds(), id)
	require.NoError(t, err)
	_, err = db.ExecContext(b.ctx, "UPDATE delivery SET next_at = next_at - ? WHERE message_id = ?", (30 * 24 * time.Hour).Microseconds(), id)
	require.NoError(t, err)
	round, err := b.temporal().ExecuteWorkflow(b.ctx, client.StartWorkflowOptions{ID: "round:" + b.appID, TaskQueue: workflows.TaskQueue}, workflows.WakeOverdueType)
	require.NoError(t, err)
	require.NoError(t, round.Get(b.ctx, nil))
	ended := b.waitState(id, posthorn.Failed)
	require.Regexp(t, `^the endpoint has failed since 20\S+Z; the time for retries is over$`, ended.Reason)
	require.Zero(t, ended.Attempts)
}

func TestAnEndpointThatOnlyFailsIsDisabled(t *testing.T) {
	t.Parallel()
	b, dir := ownHealth(t, config.Health{BreakerProbeInterval: time.Second, DisableAfter: 10 * time.Hour}, 24*time.Hour)
	rec, ep := b.dead(t)
	db := database(t, dir)
	pass := func(hours time.Duration) {
		_, err := db.ExecContext(b.ctx, "UPDATE endpoint_health SET failing_since = failing_since - ?", (hours * time.Hour).Microseconds())
		require.NoError(t, err)
	}
	first := b.send("a", `{}`)
	h := b.waitHealth(ep, func(h health) bool { return h.ConsecutiveFailures == 1 })
	require.Equal(t, "closed", h.State)
	require.Equal(t, 10*time.Hour, h.DisablesAt.Sub(*h.FailingSince))
	require.Nil(t, h.WarnedAt)

	// A success in between prevents it.
	pass(6)
	b.send("a", `{}`)
	b.waitHealth(ep, func(h health) bool { return h.WarnedAt != nil })
	rec.revive()
	require.NoError(t, b.svix.MessageAttempt.Resend(b.ctx, b.appID, first, ep))
	b.waitHealth(ep, func(h health) bool { return h.FailingSince == nil && h.WarnedAt == nil && h.DisablesAt == nil })
	rec.alive.Store(false)
	b.send("a", `{}`)
	b.waitHealth(ep, func(h health) bool { return h.ConsecutiveFailures == 1 })

	pass(11)
	b.send("a", `{}`)
	b.waitHealth(ep, func(h health) bool { return h.ConsecutiveFailures == 2 })
	shown, err := b.svix.Endpoint.Get(b.ctx, b.appID, ep)
	require.NoError(t, err)
	require.True(t, *shown.Disabled)
	_, body := b.request(http.MethodGet, "/endpoint/"+ep, "")
	require.Regexp(t, `"disabledReason":"it has failed since 20[^"]+Z"`, string(body))
	held := b.send("a", `{}`)
	require.Contains(t, b.waitState(held, posthorn.Held).Reason, "the endpoint is disabled: it has failed since")

	rec.revive()
	b.change(http.MethodPost, ep, "/resume", "")
	b.waitState(held, posthorn.Delivered)
	require.Nil(t, b.health(ep).FailingSince, "it starts afresh")
}

func TestHealthOfAnEndpointThatWorks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ep := b.endpoint(svix.EndpointIn{Url: newReceiver(t, nil).URL}).Id
	require.Nil(t, b.health(ep).Recent.SuccessRate)
	b.send("a", `{}`)
	h := b.waitHealth(ep, func(h health) bool { return h.Recent.Attempts == 1 })
	require.Equal(t, "closed", h.State)
	require.InDelta(t, 1, *h.Recent.SuccessRate, 0)
	require.LessOrEqual(t, *h.Recent.P50Ms, *h.Recent.P95Ms)
	require.Nil(t, h.FailingSince)
	require.Nil(t, h.NextProbeAt)
}

func TestResumingClosesTheCircuit(t *testing.T) {
	t.Parallel()
	b, _ := ownHealth(t, config.Health{BreakerFailures: 1, BreakerProbeInterval: 24 * time.Hour}, 24*time.Hour)
	rec, ep := b.dead(t)
	b.openCircuit(ep, 1)
	dropped := b.send("a", `{}`)
	b.waitHeld(ep, 1)
	rec.revive()
	b.change(http.MethodPost, ep, "/resume", `{"held":"drop"}`)
	b.waitState(dropped, posthorn.Cancelled)
	b.waitState(b.send("a", `{}`), posthorn.Delivered)

	// That was for what was held then.
	rec.alive.Store(false)
	b.openCircuit(ep, 1)
	held := b.send("a", `{}`)
	b.waitHeld(ep, 1)
	rec.revive()
	b.change(http.MethodPatch, ep, "", fmt.Sprintf(`{"url":%q}`, rec.URL+"/elsewhere"))
	b.waitState(held, posthorn.Delivered)
}

func TestAnOrderedEndpointKeepsItsOrderWhileItIsProbed(t *testing.T) {
	t.Parallel()
	b, _ := ownHealth(t, config.Health{BreakerFailures: 1, BreakerProbeInterval: time.Second}, time.Second, time.Hour)
	rec, ep := b.dead(t)
	b.change(http.MethodPatch, ep, "", `{"ordered":true}`)
	sent := b.openCircuit(ep, 1)
	for n := range 4 {
		sent = append(sent, b.send("a", fmt.Sprintf(`{"n":%d}`, n)))
	}
	b.waitProbes(ep, 3)
	rec.revive()
	for _, id := range sent {
		b.waitState(id, posthorn.Delivered)
	}
	var order []string
	for _, r := range rec.all()[rec.refused.Load():] {
		order = append(order, r.header.Get("webhook-id"))
	}
	require.Equal(t, sent, order)
}
