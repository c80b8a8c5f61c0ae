package clustertest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

// Receiver is a customer's server with an endpoint of the application "acme". It checks signatures, remembers every request
// and can be cut off from the network.
type Receiver struct {
	Name     string
	Endpoint string

	verifier *standardwebhooks.Webhook
	every    int // of which number's multiples it fails
	failures int // how often
	network  network

	mu       sync.Mutex
	visits   map[string][]visit // by webhook-id
	taken    map[string]bool
	problems []string
}

// visit is a request that was answered.
type visit struct {
	number  int // of the event, from the payload
	arrived time.Time
	ended   time.Time
	status  int
}

// NewReceiver makes an endpoint and serves it until the end of the test.
func NewReceiver(t testing.TB, a *API, name string) *Receiver { return NewStubborn(t, a, name, 1, 0) }

// NewStubborn is NewReceiver for one that fails the events whose numbers are multiples of a number, so many times each, before it
// takes them.
func NewStubborn(t testing.TB, a *API, name string, every, failures int) *Receiver {
	t.Helper()
	r := &Receiver{Name: name, every: every, failures: failures, visits: make(map[string][]visit), taken: make(map[string]bool)}
	site := httptest.NewUnstartedServer(r)
	site.Listener = r.network.listen(site.Listener)
	site.Start()
	t.Cleanup(func() {
		r.network.Heal()
		site.CloseClientConnections()
		site.Close()
	})
	var out struct{ ID, Key string }
	a.Do(http.MethodPost, "/app/acme/endpoint", fmt.Sprintf(`{"url":%q,"description":%q}`, site.URL, name), &out)
	r.Endpoint = out.ID
	a.Do(http.MethodGet, "/app/acme/endpoint/"+r.Endpoint+"/secret", "", &out)
	var err error
	r.verifier, err = standardwebhooks.NewWebhook(out.Key)
	require.NoError(t, err)
	return r
}

// Cut lets nothing come through from or to the receiver any more, until Heal: connections stay, but are silent.
func (r *Receiver) Cut() { r.network.Cut() }

// Heal undoes Cut.
func (r *Receiver) Heal() { r.network.Heal() }

func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	id := request.Header.Get("webhook-id")
	arrived := time.Now()
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the sender was killed half-way through
	}
	var payload struct{ Number int }
	if err = r.verifier.Verify(body, request.Header); err == nil {
		err = json.Unmarshal(body, &payload)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.problems = append(r.problems, fmt.Sprintf("%s: %v", id, err))
	}
	status := http.StatusOK
	if payload.Number%r.every == 0 && len(r.visits[id]) < r.failures {
		status = http.StatusInternalServerError
	}
	r.visits[id] = append(r.visits[id], visit{payload.Number, arrived, time.Now(), status})
	if status == http.StatusOK {
		r.taken[id] = true
	}
	w.WriteHeader(status)
}

// Missing is how many of the messages it has not taken.
func (r *Receiver) Missing(accepted map[string]int) int { return len(r.missing(accepted)) }

func (r *Receiver) missing(accepted map[string]int) (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range accepted {
		if !r.taken[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// network is the part of it in front of a receiver.
type network struct {
	mu  sync.Mutex
	cut chan struct{} // closed when it is whole again; nil: it is whole
}

func (n *network) Cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut == nil {
		n.cut = make(chan struct{})
	}
}

func (n *network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut != nil {
		close(n.cut)
		n.cut = nil
	}
}

// pass waits until the network is whole.
func (n *network) pass() {
	n.mu.Lock()
	cut := n.cut
	n.mu.Unlock()
	if cut != nil {
		<-cut
	}
}

func (n *network) listen(l net.Listener) net.Listener { return &cutListener{l, n} }

type cutListener struct {
	net.Listener
	network *network
}

func (l *cutListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &cutConn{conn, l.network}, nil
}

// cutConn is a connection whose bytes come and go only through a whole network.
type cutConn struct {
	net.Conn
	network *network
}

func (c *cutConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.network.pass()
	return n, err
}

func (c *cutConn) Write(b []byte) (int, error) {
	c.network.pass()
	return c.Conn.Write(b)
}
