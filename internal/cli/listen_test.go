package cli

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/signing"
)

const (
	demoEndpoints = "/api/v1/app/demo/endpoint"
	payload       = `{"type":"order.created","n":1.0}`
)

// listening is a running `posthorn listen` and the API that it has registered with.
type listening struct {
	*bundle
	api  *fakeAPI
	key  signing.Key
	url  string // the endpoint's
	stop func() int
}

// newEndpointAPI has the application demo and makes the endpoint ep_1.
func newEndpointAPI(t *testing.T, key signing.Key) *fakeAPI {
	t.Helper()
	api := newFakeAPI(t)
	api.on("GET /api/v1/app/demo", http.StatusOK, `{"id":"app_1","uid":"demo"}`)
	api.on("POST "+demoEndpoints, http.StatusCreated, `{"id":"ep_1"}`)
	api.on("GET "+demoEndpoints+"/ep_1/secret", http.StatusOK, `{"key":"`+key.Reveal()+`"}`)
	api.on("DELETE "+demoEndpoints+"/ep_1", http.StatusNoContent, "")
	return api
}

func startListening(t *testing.T, args ...string) *listening {
	t.Helper()
	l := &listening{bundle: setup(t), key: signing.NewSymmetricKey()}
	l.api = newEndpointAPI(t, l.key)
	l.stop = l.background(t, append([]string{"listen", "--server", l.api.url, "--token", "x"}, args...)...)
	l.stderr.awaitText(t, "Ctrl-C ends it and removes the endpoint")
	l.url = decode[endpointIn](t, l.api.call(t, "POST", demoEndpoints).body).URL
	return l
}

// deliver posts as a server would and returns the answer.
func (l *listening) deliver(t *testing.T, id, body string, key signing.Key) *http.Response {
	t.Helper()
	now := time.Now()
	signature, err := signing.Sign(id, now, []byte(body), key)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(signing.HeaderID, id)
	req.Header.Set(signing.HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(signing.HeaderSignature, signature)
	return do(t, req)
}

// do sends a request, reads the whole answer and leaves no connection behind.
func do(t *testing.T, req *http.Request) *http.Response {
	t.Helper()
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body = io.NopCloser(bytes.NewReader(content))
	return resp
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	content, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(content)
}

func TestListenPrintsDeliveriesAndRemovesItsEndpoint(t *testing.T) {
	t.Parallel()
	l := startListening(t)

	require.Equal(t, http.StatusOK, l.deliver(t, "msg_1", payload, l.key).StatusCode)
	require.Equal(t, http.StatusOK, l.deliver(t, "msg_2", "plain\x1btext", signing.NewSymmetricKey()).StatusCode)
	require.NotContains(t, l.api.asked(), "DELETE "+demoEndpoints+"/ep_1")
	require.Equal(t, 0, l.stop())

	require.Regexp(t, `^\d\d:\d\d:\d\d\.\d{3}  order\.created  msg_1  signature ok  answered 200
\{"type":"order\.created","n":1\.0\}

\d\d:\d\d:\d\d\.\d{3}  msg_2  signature INVALID: signing: no matching signature.*  answered 200
"plain\\u001btext"

$`, l.stdout.String())
	require.Equal(t, []string{
		"GET /api/v1/app/demo",
		"POST " + demoEndpoints,
		"GET " + demoEndpoints + "/ep_1/secret",
		"DELETE " + demoEndpoints + "/ep_1",
	}, l.api.asked())
	require.Contains(t, l.stderr.String(), "\nposthorn: removed ep_1\n")
}

func TestListenRegistersWhatItWasAsked(t *testing.T) {
	t.Parallel()
	l := startListening(t, "--event-types", "order.created,order.paid")
	in := decode[endpointIn](t, l.api.call(t, "POST", demoEndpoints).body)
	require.Equal(t, []string{"order.created", "order.paid"}, in.EventTypes)
	require.Equal(t, "posthorn listen", in.Description)
	address, err := url.Parse(in.URL)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", address.Hostname())
	require.GreaterOrEqual(t, len(address.Path), 20, "nobody is to guess it")
}

func TestListenMakesAnApplicationThatIsMissing(t *testing.T) {
	t.Parallel()
	b, key := setup(t), signing.NewSymmetricKey()
	api := newFakeAPI(t)
	api.on("POST /api/v1/app", http.StatusCreated, `{"id":"app_1"}`)
	api.on("POST /api/v1/app/acme/endpoint", http.StatusCreated, `{"id":"ep_1"}`)
	api.on("GET /api/v1/app/acme/endpoint/ep_1/secret", http.StatusOK, `{"key":"`+key.Reveal()+`"}`)
	api.on("DELETE /api/v1/app/acme/endpoint/ep_1", http.StatusNoContent, "")
	stop := b.background(t, "listen", "--server", api.url, "--data-dir", b.dataDir, "--app", "acme")
	b.stderr.awaitText(t, "listening for all events of acme")
	require.Equal(t, 0, stop())
	require.JSONEq(t, `{"uid":"acme","name":"acme"}`, api.call(t, "POST", "/api/v1/app?get_if_exists=true").body)
}

func TestListenAnswersAsItIsTold(t *testing.T) {
	t.Parallel()
	l := startListening(t, "--status", "503", "--json")

	require.Equal(t, 503, l.deliver(t, "msg_1", payload, l.key).StatusCode)
	require.Equal(t, 503, l.deliver(t, "msg_1", "no JSON", l.key).StatusCode)
	require.Equal(t, 0, l.stop())

	lines := strings.Split(strings.TrimSpace(l.stdout.String()), "\n")
	require.Len(t, lines, 2)
	first, second := decode[delivery](t, lines[0]), decode[delivery](t, lines[1])
	require.WithinDuration(t, time.Now(), first.Time, time.Minute)
	first.Time = time.Time{}
	require.Equal(t, delivery{ID: "msg_1", EventType: "order.created", Signature: "ok", Status: 503, Payload: []byte(payload)}, first)
	require.Equal(t, `"no JSON"`, string(second.Payload))
}

func TestListenForwards(t *testing.T) {
	t.Parallel()
	type received struct {
		header http.Header
		body   string
	}
	got := make(chan received, 1)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		got <- received{r.Header, string(content)}
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusTemporaryRedirect)
		_, _ = io.WriteString(w, "go away")
	}))
	t.Cleanup(target.Close)
	l := startListening(t, "--forward", target.URL+"/hook")

	answer := l.deliver(t, "msg_1", payload, l.key)

	require.Equal(t, http.StatusTemporaryRedirect, answer.StatusCode)
	require.Equal(t, "7", answer.Header.Get("Retry-After"))
	require.Equal(t, "go away", body(t, answer))
	forwarded := <-got
	require.Equal(t, payload, forwarded.body)
	require.NoError(t, signing.Verify(forwarded.header, []byte(forwarded.body), time.Now(), l.key))
	require.Equal(t, "application/json", forwarded.header.Get("Content-Type"))
	require.Empty(t, forwarded.header.Get("Connection"))
	l.stdout.awaitText(t, "answered 307  by "+target.URL+"/hook\n")
	require.Equal(t, 0, l.stop())
}

func TestListenAnswers502WhereNobodyTakesWhatItForwards(t *testing.T) {
	t.Parallel()
	l := startListening(t, "--forward", "http://127.0.0.1:1/")
	require.Equal(t, http.StatusBadGateway, l.deliver(t, "msg_1", payload, l.key).StatusCode)
	l.stdout.awaitText(t, "answered 502  by http://127.0.0.1:1/: dial tcp 127.0.0.1:1: connect: connection refused")
	require.Equal(t, 0, l.stop())
}

func TestListenTakesNothingButDeliveries(t *testing.T) {
	t.Parallel()
	l := startListening(t)
	for name, tc := range map[string]struct {
		method, url string
		want        int
	}{
		"another path":   {http.MethodPost, l.url + "x", http.StatusNotFound},
		"another method": {http.MethodGet, l.url, http.StatusMethodNotAllowed},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, tc.url, http.NoBody)
		require.NoError(t, err)
		require.Equal(t, tc.want, do(t, req).StatusCode, name)
	}
	require.Equal(t, 0, l.stop())
	require.Empty(t, l.stdout.String())
}

func TestListenThatCannotRegister(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args   []string
		answer func(*fakeAPI)
		want   string // SERVER stands for the address
	}{
		"for event types that are not in the catalogue": {
			args: []string{"--event-types", "nope"},
			answer: func(api *fakeAPI) {
				api.on("GET /api/v1/app/demo", 200, `{"id":"app_1"}`)
				api.on("POST "+demoEndpoints, 422, `{"detail":[{"loc":["body","eventTypes"],"msg":"there is no event type nope","type":"value_error"}]}`)
			},
			want: "registering the endpoint: 422 body.eventTypes: there is no event type nope (new event types are made with POST SERVER/api/v1/event-type; without --event-types all are received)",
		},
		"for a token that may not": {
			answer: func(api *fakeAPI) {
				api.on("GET /api/v1/app/demo", 401, `{"code":"authentication_failed","detail":"Invalid token"}`)
			},
			want: `looking up the application "demo": 401 Invalid token: SERVER does not know this --token`,
		},
		"for an id that does not exist": {
			args:   []string{"--app", "app_00000000000000000000000000"},
			answer: func(*fakeAPI) {},
			want:   `looking up the application "app_00000000000000000000000000": 404 Not Found`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, api := setup(t), newFakeAPI(t)
			tc.answer(api)

			require.Equal(t, 1, b.run(t, append([]string{"listen", "--server", api.url, "--token", "x"}, tc.args...)...))

			b.requireFailure(t, strings.ReplaceAll(tc.want, "SERVER", api.url))
		})
	}
}

func TestListenRemovesItsEndpointWhenItFailsLater(t *testing.T) {
	t.Parallel()
	b, api := setup(t), newFakeAPI(t)
	api.on("GET /api/v1/app/demo", http.StatusOK, `{"id":"app_1"}`)
	api.on("POST "+demoEndpoints, http.StatusCreated, `{"id":"ep_1"}`)
	api.on("GET "+demoEndpoints+"/ep_1/secret", http.StatusOK, `{"key":"whatever"}`)
	api.on("DELETE "+demoEndpoints+"/ep_1", http.StatusNoContent, "")

	require.Equal(t, 1, b.run(t, "listen", "--server", api.url, "--token", "x"))

	api.call(t, "DELETE", demoEndpoints+"/ep_1")
	require.Contains(t, b.stderr.String(), "posthorn: reading the secret of ep_1: ")
	require.NotContains(t, b.stderr.String(), "whatever")
}

func TestListenInterruptedWhileRegisteringRemovesTheEndpoint(t *testing.T) {
	t.Parallel()
	b, api := setup(t), newFakeAPI(t)
	registering, interrupted := make(chan struct{}), make(chan struct{})
	api.on("GET /api/v1/app/demo", http.StatusOK, `{"id":"app_1"}`)
	api.HandleFunc("POST "+demoEndpoints, func(w http.ResponseWriter, _ *http.Request) {
		close(registering)
		<-interrupted
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"ep_1"}`)
	})
	api.on("DELETE "+demoEndpoints+"/ep_1", http.StatusNoContent, "")
	ended := make(chan int, 1)
	stop := b.background(t, "listen", "--server", api.url, "--token", "x")
	<-registering
	go func() { ended <- stop() }()
	close(interrupted)

	<-ended
	api.call(t, "DELETE", demoEndpoints+"/ep_1")
}

func TestListenTellsWhichEndpointItLeavesBehind(t *testing.T) {
	t.Parallel()
	b, key := setup(t), signing.NewSymmetricKey()
	api := newFakeAPI(t)
	api.on("GET /api/v1/app/demo", http.StatusOK, `{"id":"app_1"}`)
	api.on("POST "+demoEndpoints, http.StatusCreated, `{"id":"ep_1"}`)
	api.on("GET "+demoEndpoints+"/ep_1/secret", http.StatusOK, `{"key":"`+key.Reveal()+`"}`)
	api.on("DELETE "+demoEndpoints+"/ep_1", http.StatusServiceUnavailable, `{"code":"unavailable","detail":"stopping"}`)
	stop := b.background(t, "listen", "--server", api.url, "--token", "x")
	b.stderr.awaitText(t, "Ctrl-C")
	require.Equal(t, 0, stop())
	require.Contains(t, b.stderr.String(), "posthorn: the endpoint ep_1 could not be removed: 503 stopping\n")
}

func TestListenOnAnAddressThatIsTaken(t *testing.T) {
	t.Parallel()
	b, api := setup(t), newFakeAPI(t)
	taken := strings.TrimPrefix(api.url, "http://")
	require.Equal(t, 2, b.run(t, "listen", "--server", api.url, "--token", "x", "--address", taken))
	b.requireFailure(t, "--address "+taken+": address already in use")
	require.Empty(t, api.asked())
}

func TestDeliveryTextIndentsForTerminals(t *testing.T) {
	t.Parallel()
	text := deliveryText(delivery{ID: "msg_1", Signature: "ok", Status: 200, Payload: []byte(`{"a":1}`)}, true)
	require.True(t, strings.HasSuffix(text, "\n{\n  \"a\": 1\n}\n\n"), text)
}
