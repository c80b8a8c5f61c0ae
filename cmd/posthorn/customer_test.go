package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// reaction is how a customer's server answers a request.
type reaction struct {
	after  time.Duration
	status int // 0 hangs up without an answer
}

// visit is a request that a customer got.
type visit struct {
	number  int // of the event, from the payload
	arrived time.Time
	ended   time.Time // just before the answer; zero while there is none
	status  int       // as answered; 0 if the sender got none
	gone    bool      // the sender went away before the answer
}

func (v *visit) success() bool { return !v.gone && v.status/100 == 2 }

// customer is a server with an endpoint of acme, which remembers everything.
type customer struct {
	name     string
	endpoint string
	verifier *standardwebhooks.Webhook
	react    func(random *rand.Rand, n int) reaction

	mu       sync.Mutex
	random   *rand.Rand
	visits   map[string][]*visit // by webhook-id
	problems []string
}

func newCustomer(t *testing.T, s *server, name string, react func(*rand.Rand, int) reaction) *customer {
	t.Helper()
	c := &customer{name: name, react: react, random: rand.New(rand.NewPCG(rand.Uint64(), 0)), visits: make(map[string][]*visit)}
	site := httptest.NewServer(c)
	t.Cleanup(func() {
		site.CloseClientConnections()
		site.Close()
	})
	var secret string
	c.endpoint, secret = s.createEndpoint(t, site.URL+"/"+name)
	var err error
	c.verifier, err = standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	return c
}

func (c *customer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("webhook-id")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed half-way through
	}
	v, reaction := c.arrive(id, r.Header, body)
	if reaction.after > 0 {
		select {
		case <-time.After(reaction.after):
		case <-r.Context().Done():
		}
	}
	if !c.end(v, reaction.status, r.Context().Err() != nil) {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(reaction.status)
}

// arrive notes a request, and what is wrong with it.
func (c *customer) arrive(id string, header http.Header, body []byte) (*visit, reaction) {
	v := &visit{arrived: time.Now()}
	var payload struct{ Number int }
	err := c.verifier.Verify(body, header)
	if err == nil {
		err = json.Unmarshal(body, &payload)
	}
	v.number = payload.Number
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.problems = append(c.problems, fmt.Sprintf("%s: %v", id, err))
	}
	for _, earlier := range c.visits[id] {
		if earlier.ended.IsZero() {
			c.problems = append(c.problems, fmt.Sprintf("%s came while an earlier request was in flight", id))
		}
	}
	c.visits[id] = append(c.visits[id], v)
	return v, c.react(c.random, len(c.visits[id]))
}

// end notes how a request ends, and returns whether there is an answer.
func (c *customer) end(v *visit, status int, gone bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	v.ended, v.gone = time.Now(), gone
	if !gone {
		v.status = status
	}
	return v.status > 0
}

// missing counts the messages that the customer has not taken.
func (c *customer) missing(accepted map[string]int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	missing := 0
	for id := range accepted {
		if !slices.ContainsFunc(c.visits[id], (*visit).success) {
			missing++
		}
	}
	return missing
}

// lastSuccess is when the customer took the last of the messages for the first time.
func (c *customer) lastSuccess(accepted map[string]int) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	var last time.Time
	for id := range accepted {
		if i := slices.IndexFunc(c.visits[id], (*visit).success); i >= 0 && c.visits[id][i].ended.After(last) {
			last = c.visits[id][i].ended
		}
	}
	return last
}

// check compares what came with what was posted and with what is on record. It returns how many requests came.
func (c *customer) check(t *testing.T, stored []string, accepted map[string]int, recorded map[string]map[string][]attempt, crashes []crash) int {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	assert.Empty(t, c.problems, c.name)
	requests := 0
	for id, visits := range c.visits {
		requests += len(visits)
		assert.Contains(t, stored, id, "%s got a message that nobody knows", c.name)
		for _, v := range visits {
			if number, ok := accepted[id]; ok {
				assert.Equal(t, number, v.number, "the payload of %s at %s", id, c.name)
			}
		}
	}
	for _, id := range stored {
		attempts := recorded[id][c.endpoint]
		var numbers []int
		successes := 0
		for _, a := range attempts {
			numbers = append(numbers, a.AttemptNumber)
			if a.Status == 0 {
				successes++
			}
		}
		assert.Equal(t, upTo(len(attempts)), numbers, "the attempts of %s at %s", id, c.name)
		assert.Equal(t, 1, successes, "recorded successes of %s at %s", id, c.name)
		// Every request is on record, but for those that a crash overtook. One without an answer may have been repeated
		// on a fresh connection as part of the same attempt.
		excused := 0
		for _, v := range c.visits[id] {
			if v.status == 0 || overtakenBy(v.ended, crashes) {
				excused++
			}
		}
		assert.LessOrEqual(t, len(attempts), len(c.visits[id]), "more attempts of %s than requests at %s", id, c.name)
		assert.GreaterOrEqual(t, len(attempts), len(c.visits[id])-excused, "requests of %s at %s without a record", id, c.name)
	}
	return requests
}

// duplicates counts the requests that came after the customer had taken the message. They must be owed to a crash: none
// came after a success that could be recorded.
func (c *customer) duplicates(t *testing.T, crashes []crash) int {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	found := 0
	for id, visits := range c.visits {
		var taken *visit // most lately
		for _, v := range visits {
			if taken != nil {
				found++
				crash := slices.IndexFunc(crashes, func(crash crash) bool { return crash.overtook(taken.ended) })
				if assert.GreaterOrEqual(t, crash, 0, "%s was sent to %s at %s although it had been taken at %s, when nothing crashed",
					id, c.name, clock(v.arrived), clock(taken.ended)) {
					t.Logf("duplicate at %s: taken %s before a crash", c.name, crashes[crash].killed.Sub(taken.ended).Round(time.Millisecond))
				}
			}
			if v.success() && (taken == nil || overtakenBy(taken.ended, crashes)) {
				taken = v
			}
		}
	}
	return found
}

// overtakenBy reports whether one of the crashes overtook what ended at a moment.
func overtakenBy(ended time.Time, crashes []crash) bool {
	return slices.ContainsFunc(crashes, func(c crash) bool { return c.overtook(ended) })
}

// shortfall says what customers still miss.
func shortfall(customers []*customer, accepted map[string]int) string {
	var text strings.Builder
	for _, c := range customers {
		fmt.Fprintf(&text, "%s misses %d; ", c.name, c.missing(accepted))
	}
	return text.String()
}

func clock(at time.Time) string { return at.Format("15:04:05.000") }

func upTo(n int) (numbers []int) {
	for i := range n {
		numbers = append(numbers, i+1)
	}
	return numbers
}

func keys(m map[string]int) []string { return slices.Collect(maps.Keys(m)) }

// lazily is text for a failure message that is made only when it is printed.
type lazily func() string

func (f lazily) String() string { return f() }
