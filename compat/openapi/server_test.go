package openapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/api/apitest"
	"github.com/posthorn/posthorn/internal/binarytest"
)

// server is a `posthorn dev` on a data folder of its own.
type server struct {
	*binarytest.Process
	t        *testing.T
	url      string
	token    string // the organisation's
	dir      string
	document []byte
	client   *http.Client // checks every answer against the document
}

var (
	urlRow   = regexp.MustCompile(`(?m)^  API +(\S+)$`)
	tokenRow = regexp.MustCompile(`(?m)^  Token +(\S+)$`)
)

// newServer starts one whose deliveries fail for good after three attempts within a second.
func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir() + "/data", client: &http.Client{Timeout: 30 * time.Second}}
	s.Process = binarytest.Start(t, binary, "dev", "--listen", "127.0.0.1:0", "--temporal-listen", "127.0.0.1:0",
		"--temporal-ui-listen", "off", "--data-dir", s.dir, "--retry-schedule", "200ms,200ms", "--durability", "normal", "--log-level", "warn")
	banner := s.Await(t, s.Stdout, "Send an event:")
	s.url, s.token = urlRow.FindStringSubmatch(banner)[1], tokenRow.FindStringSubmatch(banner)[1]
	s.document = []byte(s.do(http.MethodGet, "/openapi.json", "", nil))
	require.NoError(t, apitest.Validate(s.document))
	checker, err := apitest.New(s.document)
	require.NoError(t, err)
	s.client.Transport = &apitest.Transport{Checker: checker, Base: &http.Transport{}, Report: func(err error) { t.Error(err) }}
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

// engine marks what Temporal says of itself: that it is not ready yet, or that the machine is too slow for a call. Posthorn
// makes the call again, or its sweep does; what it can't mend it says itself.
const engine = " component=temporal "

// end stops the server, which must have met with no error of its own.
func (s *server) end() {
	s.t.Helper()
	require.Zero(s.t, s.Stop(s.t), "%s", s.Stderr)
	for _, line := range s.Stderr.Lines() {
		require.NotContains(s.t, line, "panic")
		if !strings.Contains(line, engine) {
			require.NotContains(s.t, line, "ERROR")
		}
	}
}

// do makes a request that has to succeed, and returns the answer, also in out unless that is nil.
func (s *server) do(method, path, body string, out any) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+"/api/v1"+path, strings.NewReader(body))
	require.NoError(s.t, err)
	req.Header.Set("Authorization", "Bearer "+s.token)
	res, err := s.client.Do(req)
	require.NoError(s.t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, 2, res.StatusCode/100, "%s %s: %d %s", method, path, res.StatusCode, answer)
	if out != nil {
		require.NoError(s.t, json.Unmarshal(answer, out))
	}
	return string(answer)
}

// newToken makes a token of the organisation, or one that is limited to an application, given by its id.
func (s *server) newToken(application string) string {
	s.t.Helper()
	args := []string{"token", "--data-dir", s.dir}
	if application != "" {
		args = append(args, "--app", application)
	}
	made := binarytest.Start(s.t, binary, args...)
	require.Zero(s.t, made.Wait(s.t), "%s", made.Stderr)
	return strings.TrimSpace(made.Stdout.String())
}

// newReceiver starts a customer's server. It refuses what is sent to /refuse and takes the rest.
func newReceiver(t *testing.T) *httptest.Server {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Receiver", "one")
		if r.URL.Path == "/refuse" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, "thank you")
	}))
	t.Cleanup(func() {
		receiver.CloseClientConnections()
		receiver.Close()
	})
	return receiver
}

// things are what there is on a server, by the name of the path parameter that takes it: ids and names of ours. Those of
// the operations that delete have names that begin with doomed: what all others need outlives them.
type things map[string][]string

// fill makes some of everything, with deliveries that have ended in success and in failure.
func (s *server) fill(receiver string) things {
	s.t.Helper()
	made := things{}
	note := func(parameter string, names ...string) { made[parameter] = append(made[parameter], names...) }
	for _, name := range []string{"order.created", "order.paid", "order.sent"} {
		s.do(http.MethodPost, "/event-type", fmt.Sprintf(`{"name":%q,"description":"d","schemas":{"1":{"type":"object","examples":[{"id":"1"}]}}}`, name), nil)
		note("event_type_name", name)
	}
	for _, name := range numbered("order.old-", doomed) {
		s.do(http.MethodPost, "/event-type", fmt.Sprintf(`{"name":%q,"description":"d"}`, name), nil)
		note("doomed_event_type_name", name)
	}
	var owner struct{ ID string }
	s.do(http.MethodPost, "/app", `{"name":"acme","uid":"acme"}`, &owner)
	note("app_id", "acme", owner.ID)
	s.fillApplication(owner.ID, receiver, note)
	for _, app := range numbered("doomed-", doomed) {
		s.do(http.MethodPost, "/app", fmt.Sprintf(`{"name":%q,"uid":%q}`, app, app), nil)
		note("doomed_app_id", app)
	}
	s.fillOrganisation(receiver, note)
	require.NoError(s.t, apitest.Validate([]byte(s.do(http.MethodGet, "/openapi.json", "", nil))), "with the webhooks that there are now")
	return made
}

// doomed is how many there are of each kind of thing that is there to be deleted.
const doomed = 10

func numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = prefix + strconv.Itoa(i)
	}
	return names
}

// fillApplication makes endpoints, messages and pollers, one of these with a consumer that has read.
func (s *server) fillApplication(id, receiver string, note func(string, ...string)) {
	s.t.Helper()
	var endpoint, message, poller struct{ ID string }
	path := "/app/" + id
	for _, uid := range []string{"take", "refuse", "channel"} {
		s.do(http.MethodPost, path+"/endpoint", fmt.Sprintf(`{"url":"%s/%s","uid":%q}`, receiver, uid, uid), &endpoint)
		note("endpoint_id", uid, endpoint.ID)
	}
	s.do(http.MethodPost, path+"/poller", `{"uid":"poller"}`, &poller)
	note("sink_id", "poller", poller.ID)
	send := func(event string) string {
		s.do(http.MethodPost, path+"/msg", fmt.Sprintf(`{"eventType":"order.created","eventId":%q,"payload":{"id":"1"}}`, event), &message)
		return message.ID
	}
	note("msg_id", "evt-1", send("evt-1"))
	note("attempt_id", s.attempts(id, message.ID)...)
	for _, event := range numbered("doomed-", doomed) {
		note("doomed_msg_id", send(event))
	}
	s.do(http.MethodGet, path+"/poller/poller/consumer/reader", "", nil)
	note("consumer_id", "reader")
	for _, uid := range numbered("doomed-", doomed) {
		s.do(http.MethodPost, path+"/endpoint", fmt.Sprintf(`{"url":"%s/take","uid":%q}`, receiver, uid), nil)
		note("doomed_endpoint_id", uid)
		s.do(http.MethodPost, path+"/poller", fmt.Sprintf(`{"uid":%q}`, uid), nil)
		note("doomed_sink_id", uid)
	}
}

// fillOrganisation makes what belongs to no application: background tasks and endpoints for operational webhooks.
func (s *server) fillOrganisation(receiver string, note func(string, ...string)) {
	s.t.Helper()
	var task, hook struct{ ID string }
	s.do(http.MethodPost, "/event-type/export/openapi", `{}`, &task)
	note("task_id", task.ID)
	for _, uid := range []string{"hook-1", "hook-2"} {
		s.do(http.MethodPost, "/operational-webhook/endpoint", fmt.Sprintf(`{"url":"%s/take","uid":%q}`, receiver, uid), &hook)
		note("hook_id", uid, hook.ID)
	}
	for _, uid := range numbered("doomed-", doomed) {
		s.do(http.MethodPost, "/operational-webhook/endpoint", fmt.Sprintf(`{"url":"%s/take","uid":%q}`, receiver, uid), nil)
		note("doomed_hook_id", uid)
	}
}

// attempts waits until all deliveries of a message have ended, and returns the ids of their attempts.
func (s *server) attempts(app, message string) []string {
	s.t.Helper()
	var list struct{ Data []struct{ ID string } }
	require.Eventually(s.t, func() bool {
		s.do(http.MethodGet, "/app/"+app+"/attempt/msg/"+message, "", &list)
		return len(list.Data) == 5 // one each for two endpoints, three for the one that refuses
	}, binarytest.Patience, 20*time.Millisecond)
	ids := make([]string, 0, len(list.Data))
	for _, attempt := range list.Data {
		ids = append(ids, attempt.ID)
	}
	return ids
}
