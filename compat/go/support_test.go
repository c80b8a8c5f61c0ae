// Package compat_test runs the current Svix SDK for Go against Posthorn. `go test ./compat` in the product's module
// starts the server and sets what these tests need.
package compat_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"github.com/svix/svix-webhooks/go/models"
)

const patience = time.Minute

var (
	prefix   = os.Getenv("COMPAT_NAME")
	server   = os.Getenv("COMPAT_URL")
	token    = os.Getenv("COMPAT_TOKEN")
	ownApp   = os.Getenv("COMPAT_APP")
	ownToken = os.Getenv("COMPAT_APP_TOKEN")
	receiver = os.Getenv("COMPAT_RECEIVER")
)

func TestMain(m *testing.M) {
	if server == "" {
		fmt.Fprintln(os.Stderr, "COMPAT_URL is not set: run the suite with `go test ./compat`")
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// client speaks with a token.
func client(t *testing.T, token string) *svix.Svix {
	t.Helper()
	address, err := url.Parse(server)
	require.NoError(t, err)
	c, err := svix.New(token, &svix.SvixOptions{ServerUrl: address})
	require.NoError(t, err)
	return c
}

var serial atomic.Int64

// unique is a name that nothing else has.
func unique(word string) string {
	return fmt.Sprintf("%s-%s-%d-%d", word, prefix, os.Getpid(), serial.Add(1))
}

func to[T any](v T) *T { return &v }

// refused checks that a call was refused, and how.
func refused(t *testing.T, status int, code string, err error) {
	t.Helper()
	var failure *svix.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, status, failure.Status(), "%s", failure.Body())
	require.Contains(t, string(failure.Body()), code)
}

// bundle is an application with the client that made it.
type bundle struct {
	*svix.Svix
	t   *testing.T
	app string
}

func setup(t *testing.T) *bundle {
	t.Helper()
	t.Parallel()
	c := client(t, token)
	app, err := c.Application.Create(t.Context(), svix.ApplicationIn{Name: "Acme", Uid: to(unique("app"))}, nil)
	require.NoError(t, err)
	return &bundle{Svix: c, t: t, app: app.Id}
}

// subscribe makes an endpoint at a receiver of its own; "down" ones answer 500.
func (b *bundle) subscribe(word string, in svix.EndpointIn) (name string, endpoint *svix.EndpointOut) {
	b.t.Helper()
	name = unique(word)
	in.Url = hook(name)
	endpoint, err := b.Endpoint.Create(b.t.Context(), b.app, in, nil)
	require.NoError(b.t, err)
	return name, endpoint
}

func (b *bundle) send(in svix.MessageIn) *svix.MessageOut {
	b.t.Helper()
	if in.EventType == "" {
		in.EventType = "order.created"
	}
	if in.Payload == nil {
		in.Payload = map[string]any{"id": "ord_1"}
	}
	message, err := b.Message.Create(b.t.Context(), b.app, in, nil)
	require.NoError(b.t, err)
	return message
}

// attempts returns those of a message once it is n.
func (b *bundle) attempts(message string, n int) []svix.MessageAttemptOut {
	b.t.Helper()
	return eventually(b.t, fmt.Sprintf("%d attempts", n), func() ([]svix.MessageAttemptOut, bool) {
		list, err := b.MessageAttempt.ListByMsg(b.t.Context(), b.app, message, &svix.MessageAttemptListByMsgOptions{WithContent: to(true)})
		require.NoError(b.t, err)
		return list.Data, len(list.Data) >= n
	})
}

// manual waits for the attempt of a message that was made by hand.
func (b *bundle) manual(message string) svix.MessageAttemptOut {
	b.t.Helper()
	return eventually(b.t, "the manual attempt", func() (svix.MessageAttemptOut, bool) {
		list, err := b.MessageAttempt.ListByMsg(b.t.Context(), b.app, message, nil)
		require.NoError(b.t, err)
		at := slices.IndexFunc(list.Data, func(a svix.MessageAttemptOut) bool {
			return a.TriggerType == models.MESSAGEATTEMPTTRIGGERTYPE_MANUAL
		})
		if at < 0 {
			return svix.MessageAttemptOut{}, false
		}
		return list.Data[at], true
	})
}

// payload is that of a message as it is now.
func (b *bundle) payload(message string) map[string]any {
	b.t.Helper()
	got, err := b.Message.Get(b.t.Context(), b.app, message, &svix.MessageGetOptions{WithContent: to(true)})
	require.NoError(b.t, err)
	return got.Payload
}

// secret is what verifies an endpoint's signatures.
func (b *bundle) secret(endpoint string) string {
	b.t.Helper()
	secret, err := b.Endpoint.GetSecret(b.t.Context(), b.app, endpoint)
	require.NoError(b.t, err)
	return secret.Key
}

// finished returns a task once it has ended.
func (b *bundle) finished(id string) *svix.BackgroundTaskOut {
	b.t.Helper()
	return eventually(b.t, "the end of "+id, func() (*svix.BackgroundTaskOut, bool) {
		task, err := b.BackgroundTask.Get(b.t.Context(), id)
		require.NoError(b.t, err)
		return task, task.Status != models.BACKGROUNDTASKSTATUS_RUNNING
	})
}

// poller makes one, for which the SDK has no method, and returns its id.
func (b *bundle) poller() string {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, server+"/api/v1/app/"+b.app+"/poller", strings.NewReader("{}"))
	require.NoError(b.t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(b.t, err)
	defer response.Body.Close()
	require.Equal(b.t, http.StatusCreated, response.StatusCode)
	var made struct{ ID string }
	require.NoError(b.t, json.NewDecoder(response.Body).Decode(&made))
	return made.ID
}

// eventually calls look until it says yes.
func eventually[T any](t *testing.T, what string, look func() (T, bool)) T {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); ; {
		if found, ok := look(); ok {
			return found
		}
		select {
		case <-tick.C:
		case <-deadline:
			require.FailNow(t, "waited in vain for "+what)
		}
	}
}

// webhook is a delivery as it came.
type webhook struct {
	Headers map[string]string
	Body    string
}

func (w webhook) header() http.Header {
	header := http.Header{}
	for name, value := range w.Headers {
		header.Set(name, value)
	}
	return header
}

// verify checks the signature with the SDK.
func (w webhook) verify(t *testing.T, secret string) {
	t.Helper()
	verifier, err := svix.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, verifier.Verify([]byte(w.Body), w.header()))
}

// hook is the address of a receiver.
func hook(name string) string { return receiver + "/hook/" + name }

// received is what came to a receiver, once it is n webhooks.
func received(t *testing.T, name string, n int) (came []webhook) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/received/%s?n=%d", receiver, name, n), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.NoError(t, json.NewDecoder(response.Body).Decode(&came))
	require.Equal(t, http.StatusOK, response.StatusCode, "%d of %d webhooks came to %s", len(came), n, name)
	return came
}
