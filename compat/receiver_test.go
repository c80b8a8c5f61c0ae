package compat

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// arrival is a webhook as it came, in the form that the suites read.
type arrival struct {
	Headers map[string]string `json:"headers"` // names in lower case
	Body    string            `json:"body"`
}

// receiver is the customer's side of all suites. POST /hook/{name} takes a webhook and answers it: 500 if the name begins
// with "down", 200 otherwise. GET /received/{name}?n= returns what came under a name once it is n webhooks.
type receiver struct {
	url string

	mu       sync.Mutex
	arrivals map[string][]arrival
	changed  chan struct{} // closed and replaced by every arrival
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{arrivals: map[string][]arrival{}, changed: make(chan struct{})}
	routes := http.NewServeMux()
	routes.HandleFunc("POST /hook/{name}", r.take)
	routes.HandleFunc("GET /received/{name}", r.show)
	listener := httptest.NewServer(routes)
	t.Cleanup(func() {
		listener.CloseClientConnections()
		listener.Close()
	})
	r.url = listener.URL
	return r
}

func (r *receiver) take(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the sender went away
	}
	came := arrival{Headers: map[string]string{}, Body: string(body)}
	for name, values := range request.Header {
		came.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	name := request.PathValue("name")
	r.mu.Lock()
	r.arrivals[name] = append(r.arrivals[name], came)
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()

	w.Header().Set("X-Receiver", name)
	if strings.HasPrefix(name, "down") {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, "out of order")
		return
	}
	_, _ = io.WriteString(w, "thank you")
}

func (r *receiver) show(w http.ResponseWriter, request *http.Request) {
	n, err := strconv.Atoi(request.FormValue("n"))
	if err != nil {
		n = 1
	}
	ctx, cancel := context.WithTimeout(request.Context(), 20*time.Second)
	defer cancel()
	came, ok := r.wait(ctx, request.PathValue("name"), n)
	if !ok {
		w.WriteHeader(http.StatusGatewayTimeout)
	}
	_ = json.NewEncoder(w).Encode(came)
}

// wait returns what came under a name once it is n webhooks, or what there is when ctx ends.
func (r *receiver) wait(ctx context.Context, name string, n int) (came []arrival, ok bool) {
	for {
		r.mu.Lock()
		came, changed := append([]arrival{}, r.arrivals[name]...), r.changed
		r.mu.Unlock()
		if len(came) >= n {
			return came, true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return came, false
		}
	}
}
