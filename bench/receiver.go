package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/posthorn/posthorn/signing"
)

const (
	// minPayload holds the sequence number and what surrounds it.
	minPayload = 64
	// verifyEvery is how often a signature is checked: often enough to notice, seldom enough not to count.
	verifyEvery = 16
)

// target is one endpoint as a system under test needs to know it.
type target struct {
	URL    string
	Secret string
}

// receivers are the customers' servers, one origin per endpoint as in life: connections are kept per origin.
type receivers struct {
	targets []target
	ledger  *ledger
	keys    []signing.Key
	servers []*http.Server

	seen    atomic.Int64
	problem atomic.Pointer[string] // the first request that was not as it should be
}

// newReceivers listens on n free ports of this machine.
func newReceivers(n int) (*receivers, error) {
	r := &receivers{ledger: &ledger{endpoints: n}}
	for i := range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			r.close()
			return nil, fmt.Errorf("receiver %d: %w", i, err)
		}
		key := signing.NewSymmetricKey()
		r.keys = append(r.keys, key)
		r.targets = append(r.targets, target{URL: "http://" + listener.Addr().String() + "/hook", Secret: key.Reveal()})
		server := &http.Server{
			Handler:           http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.take(i, w, req) }),
			ReadHeaderTimeout: time.Minute,
		}
		r.servers = append(r.servers, server)
		go func() { _ = server.Serve(listener) }() // ends with close
	}
	return r, nil
}

func (r *receivers) close() {
	for _, s := range r.servers {
		_ = s.Close()
	}
}

// take answers one request to an endpoint.
func (r *receivers) take(endpoint int, w http.ResponseWriter, req *http.Request) {
	now := time.Now()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sequence, err := sequenceOf(body)
	if err == nil && r.seen.Add(1)%verifyEvery == 0 {
		err = signing.Verify(req.Header, body, now, r.keys[endpoint])
	}
	if err == nil && !r.ledger.receive(sequence, endpoint, now) {
		err = fmt.Errorf("event %d was never sent", sequence)
	}
	if err != nil {
		text := fmt.Sprintf("endpoint %d: %v", endpoint, err)
		r.problem.CompareAndSwap(nil, &text)
		http.Error(w, text, http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, "ok") // the sender may have gone
}

const sequencePrefix = `{"sequence":`

// payload returns a JSON object of a size that carries a sequence number.
func payload(sequence, size int) []byte {
	b := fmt.Appendf(nil, sequencePrefix+`%d,"text":"`, sequence)
	return fmt.Appendf(b, `%s"}`, strings.Repeat("x", max(size-len(b)-2, 0)))
}

func sequenceOf(payload []byte) (int, error) {
	rest, ok := bytes.CutPrefix(payload, []byte(sequencePrefix))
	digits, _, more := bytes.Cut(rest, []byte(","))
	if !ok || !more {
		return 0, fmt.Errorf("unexpected payload %.60q", payload)
	}
	return strconv.Atoi(string(digits))
}
