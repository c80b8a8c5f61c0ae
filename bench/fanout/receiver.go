package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// receiverVariable makes this program a receiver.
const receiverVariable = "POSTHORN_FANOUT_RECEIVER"

// seen is what the receiver knows of a message.
type seen struct {
	Requests int
	Last     time.Time
}

// counter is the receiver's handler.
type counter struct {
	down     bool
	mu       sync.Mutex
	messages map[string]*seen
	failed   map[string]bool // by message and endpoint
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if id, asked := strings.CutPrefix(r.URL.Path, "/seen/"); asked {
		c.mu.Lock()
		defer c.mu.Unlock()
		s := c.messages[id]
		if s == nil {
			s = &seen{}
		}
		_ = json.NewEncoder(w).Encode(s)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	id := r.Header.Get("Webhook-Id")
	c.mu.Lock()
	defer c.mu.Unlock()
	if key := id + r.URL.Path; c.down && !c.failed[key] {
		c.failed[key] = true
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	s := c.messages[id]
	if s == nil {
		s = &seen{}
		c.messages[id] = s
	}
	s.Requests++
	s.Last = time.Now()
}

// receive is a receiver: it says where it listens and ends with its input.
func receive(in io.Reader, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	fmt.Fprintln(out, "http://"+listener.Addr().String())
	go func() {
		_ = http.Serve(listener, &counter{ //nolint:gosec // it has one client
			down: os.Getenv(receiverVariable) == "down", messages: map[string]*seen{}, failed: map[string]bool{},
		})
	}()
	_, err = io.Copy(io.Discard, in)
	return err
}

// receiver is a receiver in another process.
type receiver struct {
	process *exec.Cmd
	input   io.Closer
	url     string
}

func startReceiver(ctx context.Context, down bool) (*receiver, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	mode := "up"
	if down {
		mode = "down"
	}
	process := exec.CommandContext(ctx, program)
	process.Env = append(os.Environ(), receiverVariable+"="+mode)
	process.Stderr = os.Stderr
	input, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	url, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("starting the receiver: %w", err)
	}
	return &receiver{process, input, strings.TrimSpace(url)}, nil
}

func (r *receiver) close() {
	_ = r.input.Close()
	_ = r.process.Wait() // it is told to end when its context does
}

// asking gives up on a receiver that doesn't answer.
var asking = &http.Client{Timeout: time.Minute}

func (r *receiver) seen(ctx context.Context, messageID string) (s seen, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/seen/"+messageID, http.NoBody)
	if err != nil {
		return s, err
	}
	response, err := asking.Do(request)
	if err != nil {
		return s, err
	}
	defer func() { _ = response.Body.Close() }()
	return s, json.NewDecoder(response.Body).Decode(&s)
}
