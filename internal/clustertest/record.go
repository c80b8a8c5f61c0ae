package clustertest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"
)

// AssertDelivered waits until Posthorn has a message of "acme" on record as delivered to so many endpoints, and checks its
// attempts: numbered from 1 for each endpoint, and the last one, and only that, a success. It may be called from any
// goroutine.
func (c *Cluster) AssertDelivered(message string, endpoints int, within time.Duration) {
	var last string
	delivered := func() bool {
		var list struct{ Data []struct{ State string } }
		last = c.read("/app/acme/msg/"+message+"/endpoint?limit=250", &list)
		for _, d := range list.Data {
			if d.State != "delivered" {
				return false
			}
		}
		return len(list.Data) == endpoints
	}
	if !assert.Eventually(c.t, delivered, within, tick, "waiting for %s to be on record as delivered: %s", message, lazily(func() string { return last })) {
		return
	}
	type attempt struct {
		EndpointID    string
		AttemptNumber int
		Status        int // 0: success
	}
	var list struct{ Data []attempt }
	last = c.read("/app/acme/attempt/msg/"+message+"?limit=250", &list)
	slices.SortFunc(list.Data, func(a, b attempt) int {
		return cmp.Or(cmp.Compare(a.EndpointID, b.EndpointID), cmp.Compare(a.AttemptNumber, b.AttemptNumber))
	})
	for i, a := range list.Data {
		expected := 1
		if i > 0 && list.Data[i-1].EndpointID == a.EndpointID {
			expected = list.Data[i-1].AttemptNumber + 1
		}
		final := i == len(list.Data)-1 || list.Data[i+1].EndpointID != a.EndpointID
		assert.Equal(c.t, expected, a.AttemptNumber, "the attempts of %s: %s", message, last)
		assert.Equal(c.t, final, a.Status == 0, "the attempts of %s: %s", message, last)
	}
}

// read gets something that may not be there yet, and returns it as text, too.
func (c *Cluster) read(path string, out any) string {
	answer, err := c.Call(c.t.Context(), http.MethodGet, path, "")
	if err != nil {
		return err.Error()
	}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		return fmt.Sprintf("%d %s: %v", answer.Status, answer.Body, err)
	}
	return string(answer.Body)
}

// Shortfall is text that says how many of the messages a receiver misses, and what is on record about one of them. It is made
// when it is printed.
func (c *Cluster) Shortfall(r *Receiver, accepted map[string]int) fmt.Stringer {
	return lazily(func() string {
		missing := r.missing(accepted)
		if len(missing) == 0 {
			return "none is missing now"
		}
		var anything any
		return fmt.Sprintf("%d are missing, such as %s: %s", len(missing), missing[0], c.read("/app/acme/msg/"+missing[0]+"/endpoint", &anything))
	})
}
