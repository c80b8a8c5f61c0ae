package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

const (
	postMessage  = "/api/v1/app/demo/msg"
	destinations = "/api/v1/app/demo/msg/msg_1/endpoint"
)

// newMessageAPI accepts messages for demo, which has one endpoint.
func newMessageAPI(t *testing.T) *fakeAPI {
	t.Helper()
	api := newFakeAPI(t)
	api.on("POST "+postMessage, http.StatusAccepted, `{"id":"msg_1","eventType":"order.created"}`)
	api.on("GET /api/v1/app/demo/endpoint", http.StatusOK, `{"data":[{"id":"ep_1"}],"done":true}`)
	return api
}

func TestSendPostsTheEvent(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "order.json")
	require.NoError(t, os.WriteFile(file, []byte("{\"id\": \"ord_1\"}\n"), 0o600))
	for name, tc := range map[string]struct {
		args  []string
		stdin string
		want  messageIn
	}{
		"with an empty payload by default": {
			want: messageIn{EventType: "order.created", Payload: json.RawMessage(`{}`)},
		},
		"with a payload from the command line, as it was written": {
			args: []string{"--data", `{"b":1.0,  "a":"<&>"}`},
			want: messageIn{EventType: "order.created", Payload: json.RawMessage(`{"b":1.0,  "a":"<&>"}`)},
		},
		"with a payload from a file": {
			args: []string{"--data", "@" + file},
			want: messageIn{EventType: "order.created", Payload: json.RawMessage(`{"id": "ord_1"}`)},
		},
		"with a payload from standard input": {
			args:  []string{"--data", "-"},
			stdin: `{"id":"ord_2"}`,
			want:  messageIn{EventType: "order.created", Payload: json.RawMessage(`{"id":"ord_2"}`)},
		},
		"with id, channels and application": {
			args: []string{"--event-id", "evt-1", "--channels", "eu,us", "--create"},
			want: messageIn{
				EventType: "order.created", EventID: "evt-1", Channels: []string{"eu", "us"},
				Payload: json.RawMessage(`{}`), Application: &appIn{UID: "demo", Name: "demo"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, api := setup(t), newMessageAPI(t)
			b.program.stdin = strings.NewReader(tc.stdin)
			args := append([]string{"send", "demo", "order.created", "--server", api.url, "--data-dir", b.dataDir, "--wait", "0s"}, tc.args...)

			require.Equal(t, 0, b.run(t, args...), b.stderr)

			sent := api.call(t, "POST", postMessage)
			require.Equal(t, tc.want, decode[messageIn](t, sent.body))
			require.Equal(t, "Bearer token-of-"+posthorn.DefaultOrg, sent.token)
			require.Equal(t, "msg_1\ndeliveries: "+api.url+destinations+"\n", b.stdout.String())
		})
	}
}

func TestSendUsesTheTokenItIsGiven(t *testing.T) {
	t.Parallel()
	b, api := setup(t), newMessageAPI(t)
	b.env["POSTHORN_TOKEN"], b.env["POSTHORN_SERVER"] = "mine", api.url
	require.Equal(t, 0, b.run(t, "send", "demo", "order.created", "--wait", "0s"))
	require.Equal(t, "Bearer mine", api.call(t, "POST", postMessage).token)
}

func TestSendRefusesWhatIsNoJSONObject(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`[1]`:        `--data must be a JSON object such as {"id":"ord_1"}`,
		`null`:       `--data must be a JSON object such as {"id":"ord_1"}`,
		`{"id":`:     `--data is not JSON: unexpected end of JSON input`,
		`@/nowhere`:  `--data @/nowhere: no such file or directory`,
		`-`:          `--data - is not JSON: unexpected end of JSON input`,
		`{"a":1} {}`: `--data is not JSON: invalid character '{' after top-level value`,
	} {
		t.Run(data, func(t *testing.T) {
			t.Parallel()
			b, api := setup(t), newFakeAPI(t)
			require.Equal(t, 2, b.run(t, "send", "demo", "order.created", "--server", api.url, "--token", "x", "--data", data))
			b.requireFailure(t, want+` (run "posthorn send --help")`)
			require.Empty(t, api.asked())
		})
	}
}

func TestSendExplainsWhatTheAPIRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string // SERVER stands for the address
	}{
		"an application that is missing": {
			status: 404, body: `{"code":"not_found","detail":"Entity not found"}`,
			want: `there is no application "demo" at SERVER: --create makes it`,
		},
		"fields that are wrong": {
			status: 422, body: `{"detail":[{"loc":["body","eventType"],"msg":"is too long","type":"value_error"},{"loc":["body","channels",0],"msg":"is empty","type":"value_error"}]}`,
			want: `sending to demo: 422 body.eventType: is too long; body.channels.0: is empty`,
		},
		"an event id that is taken": {
			status: 409, body: `{"code":"conflict","detail":"the event id evt-1 is taken"}`,
			want: `sending to demo: 409 the event id evt-1 is taken`,
		},
		"a token of somebody else": {
			status: 401, body: `{"code":"authentication_failed","detail":"Invalid token"}`,
			want: `sending to demo: 401 Invalid token: SERVER does not know this --token`,
		},
		"an error without an explanation": {
			status: 503, body: `<html>`,
			want: `sending to demo: 503 Service Unavailable`,
		},
		"an answer that is not Posthorn's": {
			status: 200, body: `<html>`,
			want: `sending to demo: SERVER does not answer as Posthorn does: invalid character '<' looking for beginning of value`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, api := setup(t), newFakeAPI(t)
			api.on("POST "+postMessage, tc.status, tc.body)

			require.Equal(t, 1, b.run(t, "send", "demo", "order.created", "--server", api.url, "--token", "x"))

			b.requireFailure(t, strings.ReplaceAll(tc.want, "SERVER", api.url))
			require.Empty(t, b.stdout.String())
		})
	}
}

func TestSendWatchesTheDeliveries(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

	t.Run("until each has had an attempt", func(t *testing.T) {
		t.Parallel()
		b, api := setup(t), newMessageAPI(t)
		b.program.now = func() time.Time { return now }
		var looks atomic.Int32
		api.HandleFunc("GET "+destinations, func(w http.ResponseWriter, _ *http.Request) {
			switch looks.Add(1) {
			case 1: // nothing is known yet
				fmt.Fprint(w, `{"data":[],"done":true}`)
			case 2:
				fmt.Fprint(w, `{"data":[{"id":"ep_1","url":"http://a/","status":0},{"id":"ep_2","url":"http://b/","status":1}],"done":true}`)
			default:
				fmt.Fprintf(w, `{"data":[{"id":"ep_1","url":"http://a/","status":0},{"id":"ep_2","url":"http://b/","status":3,"nextAttempt":%q},{"id":"ep_3","url":"http://c/","status":2}],"done":true}`,
					now.Add(5*time.Second).Format(time.RFC3339))
			}
		})

		require.Equal(t, 0, b.run(t, "send", "demo", "order.created", "--server", api.url, "--token", "x", "--wait", "30s"))

		require.EqualValues(t, 3, looks.Load())
		require.Equal(t, "msg_1\ndeliveries: "+api.url+destinations+`
delivered       ep_1  http://a/
retrying in 5s  ep_2  http://b/
failed          ep_3  http://c/
`, b.stdout.String())
	})
	t.Run("until the time is over", func(t *testing.T) {
		t.Parallel()
		b, api := setup(t), newMessageAPI(t)
		api.on("GET "+destinations, http.StatusOK, `{"data":[{"id":"ep_1","url":"http://a/","status":3}],"done":true}`)
		require.Equal(t, 0, b.run(t, "send", "demo", "order.created", "--server", api.url, "--token", "x", "--wait", "1ms"))
		require.Contains(t, b.stdout.String(), "\npending  ep_1  http://a/\n")
	})
	t.Run("and says when there are none", func(t *testing.T) {
		t.Parallel()
		b, api := setup(t), newMessageAPI(t)
		api.on("GET "+destinations, http.StatusOK, `{"data":[],"done":true}`)
		require.Equal(t, 0, b.run(t, "send", "demo", "order.created", "--server", api.url, "--token", "x", "--wait", "1ms"))
		require.Contains(t, b.stdout.String(), "\nno delivery within 1ms: does an endpoint of demo take order.created?\n")
	})
	t.Run("but not where there is no endpoint", func(t *testing.T) {
		t.Parallel()
		b, api := setup(t), newFakeAPI(t)
		api.on("POST "+postMessage, http.StatusAccepted, `{"id":"msg_1"}`)
		api.on("GET /api/v1/app/demo/endpoint", http.StatusOK, `{"data":[],"done":true}`)
		require.Equal(t, 0, b.run(t, "send", "demo", "order.created", "--server", api.url, "--token", "x", "--wait", "30s"))
		require.Contains(t, b.stdout.String(), "\ndemo has no endpoint yet: add one with `posthorn listen --app demo`\n")
		require.Equal(t, []string{"POST " + postMessage, "GET /api/v1/app/demo/endpoint?limit=1"}, api.asked())
	})
	t.Run("and an interrupt only ends the watching", func(t *testing.T) {
		t.Parallel()
		b, api := setup(t), newMessageAPI(t)
		looked := make(chan struct{}, 1000)
		api.HandleFunc("GET "+destinations, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"data":[],"done":true}`)
			looked <- struct{}{}
		})
		stop := b.background(t, "send", "demo", "order.created", "--server", api.url, "--token", "x", "--wait", "1h")
		<-looked
		require.Equal(t, 0, stop())
		require.Empty(t, b.stderr.String())
	})
}

func TestSendCanBeInterruptedBeforeItHasSent(t *testing.T) {
	t.Parallel()
	b, api := setup(t), newFakeAPI(t)
	arrived := make(chan struct{})
	api.HandleFunc("POST "+postMessage, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	stop := b.background(t, "send", "demo", "order.created", "--server", api.url, "--token", "x")
	<-arrived
	require.Equal(t, 1, stop())
	b.requireFailure(t, "interrupted")
}
