package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/nettest"
)

// mood is how a site treats what comes, for a while.
type mood struct {
	name  string
	react func(random *rand.Rand) reaction
}

// forever is longer than any sender waits.
const forever = time.Hour

var (
	well = mood{"well", func(random *rand.Rand) reaction {
		return reaction{status: http.StatusOK, after: time.Duration(random.Int64N(int64(20 * time.Millisecond)))}
	}}
	// dead is a site that nobody can connect to.
	dead  = mood{name: "dead"}
	moods = []mood{
		well, well, well,
		{"failing", func(*rand.Rand) reaction { return reaction{status: http.StatusInternalServerError} }},
		{"refusing", func(*rand.Rand) reaction { return reaction{status: http.StatusNotFound} }},
		{"flaky", func(random *rand.Rand) reaction {
			return reaction{status: []int{http.StatusNoContent, http.StatusServiceUnavailable, 0}[random.IntN(3)]}
		}},
		{"slow", func(random *rand.Rand) reaction {
			return reaction{status: http.StatusAccepted, after: 200*time.Millisecond + time.Duration(random.Int64N(int64(1300*time.Millisecond)))}
		}},
		{"busy", func(*rand.Rand) reaction { return reaction{status: http.StatusTooManyRequests} }},
		{"hanging", func(*rand.Rand) reaction { return reaction{after: forever} }},
		{"gone", func(*rand.Rand) reaction { return reaction{status: http.StatusGone} }},
		dead,
	}
)

// site is a customer's server. It has moods, remembers every request, and can die and return at the same address.
type site struct {
	t        *testing.T
	address  string
	verifier *standardwebhooks.Webhook

	mu       sync.Mutex
	random   *rand.Rand
	mood     mood
	server   *http.Server        // nil while it is dead
	deaths   []time.Time         // when it died
	visits   map[string][]*visit // by webhook-id
	problems []string
}

func newSite(t *testing.T, seed uint64) *site {
	t.Helper()
	s := &site{t: t, address: nettest.FreeAddress(t), mood: well, random: rand.New(rand.NewPCG(seed, 1)), visits: make(map[string][]*visit)}
	s.be(well)
	t.Cleanup(func() { s.be(dead) })
	return s
}

// be changes the mood. What is under way keeps the one that it met, unless the site dies.
func (s *site) be(m mood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mood = m
	switch {
	case m.react == nil && s.server != nil:
		s.deaths = append(s.deaths, time.Now())
		_ = s.server.Close() // those who are connected notice
		s.server = nil
	case m.react != nil && s.server == nil:
		listener, err := net.Listen("tcp", s.address)
		require.NoError(s.t, err)
		s.server = &http.Server{Handler: s, ReadHeaderTimeout: patience}
		go func(server *http.Server) { _ = server.Serve(listener) }(s.server) // it ends when the site dies
	}
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed half-way through
	}
	v, reaction := s.arrive(r.Header, body)
	select {
	case <-time.After(reaction.after):
	case <-r.Context().Done():
	}
	s.mu.Lock()
	v.ended, v.gone = time.Now(), r.Context().Err() != nil
	if !v.gone {
		v.status = reaction.status
	}
	s.mu.Unlock()
	if v.status == 0 {
		panic(http.ErrAbortHandler)
	}
	if v.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(v.status)
}

// arrive notes a request, and what is wrong with it.
func (s *site) arrive(header http.Header, body []byte) (*visit, reaction) {
	id := header.Get("webhook-id")
	v := &visit{arrived: time.Now()}
	var payload struct{ Number int }
	err := s.verifier.Verify(body, header)
	if err == nil {
		err = json.Unmarshal(body, &payload)
	}
	v.number = payload.Number
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.problems = append(s.problems, fmt.Sprintf("%s: %v", id, err))
	}
	s.visits[id] = append(s.visits[id], v)
	if s.mood.react == nil { // it dies just now
		return v, reaction{}
	}
	return v, s.mood.react(s.random)
}

// dying reports whether the site died so soon after it had answered that the answer may not have left it.
func (s *site) dying(v *visit) bool {
	for _, death := range s.deaths {
		if since := death.Sub(v.ended); since > -leftovers && since < leftovers {
			return true
		}
	}
	return false
}

// target is an endpoint of the model, and what was done to it.
type target struct {
	*site
	name     string
	endpoint string
	ordered  bool
	rate     int  // messages per second; 0 = no limit
	inFlight int  // requests at the same time; 0 = no limit
	restless bool // its schedule changes

	eventType        string          // the only one that it gets; empty = all
	fewest, most     int             // waits of the schedules that it has had
	dropped          time.Time       // when its messages were dropped or cancelled for the last time
	resent           map[string]bool // messages that were sent by hand
	cancelled        map[string]bool // messages that were cancelled for it alone
	blocked, patient bool            // paused or disabled; stays so when the storm is over
}

func (g *target) wants(e *event) bool { return g.eventType == "" || g.eventType == e.eventType }

// create makes the endpoint.
func (g *target) create(t *testing.T, s *server) {
	t.Helper()
	var made struct{ ID string }
	in := map[string]any{"url": g.url(1), "ordered": g.ordered}
	if g.eventType != "" {
		in["filterTypes"] = []string{g.eventType}
	}
	if g.rate > 0 {
		in["throttleRate"] = g.rate
	}
	if g.inFlight > 0 {
		in["maxInFlight"] = g.inFlight
	}
	body, err := json.Marshal(in)
	require.NoError(t, err)
	s.do(t, http.MethodPost, "/app/acme/endpoint", string(body), &made)
	var secret struct{ Key string }
	s.do(t, http.MethodGet, "/app/acme/endpoint/"+made.ID+"/secret", "", &secret)
	g.endpoint, g.resent, g.cancelled = made.ID, make(map[string]bool), make(map[string]bool)
	g.verifier, err = standardwebhooks.NewWebhook(secret.Key)
	require.NoError(t, err)
}

// url is where the site can be reached; it has several addresses.
func (g *target) url(n int) string { return fmt.Sprintf("http://%s/%s/%d", g.address, g.name, n) }

// event is one that was posted.
type event struct {
	number    int
	eventType string
	key       string // by which ordered endpoints keep it in order
	posted    time.Time
	id        string // of the message

	notBefore, notAfter time.Time // when it may be sent; zero where there is no such limit
	cancelled           bool
}

// storm is what the model does to a server and to those who receive from it.
type storm struct {
	t       *testing.T
	server  *server
	random  *rand.Rand // of the actions, which one goroutine takes
	targets []*target
	crashes []crash
	posting sync.WaitGroup

	mu     sync.Mutex
	events []*event // accepted ones, each key's in the order of acceptance
	number int
}

// insist calls the API until it answers.
func (w *storm) insist(method, path, body string) (status int, answer []byte) {
	for {
		status, answer, err := w.server.call(w.t.Context(), method, path, body)
		if err == nil && status != http.StatusServiceUnavailable {
			return status, answer
		}
		select {
		case <-time.After(postAgain):
		case <-w.t.Context().Done():
			return 0, nil
		}
	}
}

// order is insist for what has to succeed.
func (w *storm) order(method, path, body string) {
	status, answer := w.insist(method, path, body)
	assert.Equal(w.t, 2, status/100, "%s %s %s: %d %s", method, path, body, status, answer)
}
