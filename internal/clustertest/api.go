package clustertest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// requestTimeout is how long a caller of the API waits: longer than the API takes to say that something can't be accepted.
const requestTimeout = 30 * time.Second

// API calls Posthorn's.
type API struct {
	t     testing.TB
	url   string
	token string
	http  *http.Client
}

// NewAPI returns one for a server; its connections are closed at the end of the test.
func NewAPI(t testing.TB, server, token string) *API {
	a := &API{
		t: t, url: server + "/api/v1", token: token,
		http: &http.Client{Timeout: requestTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 200}},
	}
	t.Cleanup(a.http.CloseIdleConnections)
	return a
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Call makes a request. An error means that there was no answer.
func (a *API) Call(ctx context.Context, method, path, body string) (Answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, a.url+path, bytes.NewBufferString(body))
	if err != nil {
		return Answer{}, err
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := a.http.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.Header, text}, err
}

// Do is Call for requests that have to succeed. Out gets the answer, unless it is nil.
func (a *API) Do(method, path, body string, out any) {
	a.t.Helper()
	answer, err := a.Call(a.t.Context(), method, path, body)
	require.NoError(a.t, err)
	require.Equal(a.t, 2, answer.Status/100, "%s %s: %d %s", method, path, answer.Status, answer.Body)
	if out != nil {
		require.NoError(a.t, json.Unmarshal(answer.Body, out))
	}
}
