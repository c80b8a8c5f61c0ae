package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/signing"
)

// Deadlines of listen that are not the user's to set.
const (
	registerTimeout = 15 * time.Second // for making the endpoint, which is not given up half-way
	removeTimeout   = 5 * time.Second  // for removing it at the end
	drainTimeout    = 3 * time.Second  // for deliveries that are being answered at the end
)

// listenCmd is a receiver for development.
type listenCmd struct {
	connection
	App        string   `placeholder:"APP" default:"demo" help:"Application whose deliveries to receive: its uid or id. A uid that does not exist is made."`
	EventTypes []string `placeholder:"TYPE" help:"Receive only these event types, separated by commas. They must be in the event catalogue. Without this flag: all."`
	Forward    string   `placeholder:"URL" help:"Pass each delivery on, headers and body unchanged, and give Posthorn its answer: the status, or 502 if nothing answers."`
	Status     int      `placeholder:"CODE" default:"200" help:"Answer with this status, such as 500 or 410, to watch retries."`
	Address    string   `placeholder:"ADDR" default:"127.0.0.1:0" help:"Where to receive, as host:port that the server can reach. Port 0 takes a free one."`
	JSON       bool     `name:"json" help:"Print one JSON object per delivery and line, for scripts."`
}

// Help implements kong.HelpProvider.
func (*listenCmd) Help() string {
	return `Registers an endpoint that points here, prints every delivery as it comes, its signature checked with the endpoint's secret, and removes the endpoint at the end (Ctrl-C). The server must be able to reach this machine, and its network guard must let it: "posthorn dev" on the same machine does both.

An event type that is not in the catalogue is an error, not something that is made on the quiet.

Examples:

    posthorn listen
    posthorn listen --app acme --forward http://localhost:3000/webhooks
    posthorn listen --status 503
    posthorn listen --json | jq .payload`
}

// Run receives deliveries until ctx ends.
func (c *listenCmd) Run(ctx context.Context, p *program) error {
	if err := c.validate(); err != nil {
		return err
	}
	api, err := c.connect(p)
	if err != nil {
		return err
	}
	defer api.close()

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Address)
	if err != nil {
		if cause, ok := errors.AsType[syscall.Errno](err); ok {
			err = cause // without the names of system calls
		}
		return cannotStart(fmt.Errorf("--address %s: %w", c.Address, err))
	}
	receiver := c.receiver(p)
	defer receiver.close()
	receiving := &http.Server{
		Handler:           receiver,
		ReadHeaderTimeout: requestTimeout,
		ErrorLog:          log.New(p.stderr, "posthorn: ", 0),
	}
	served := make(chan error, 1)
	go func() { served <- receiving.Serve(listener) }()
	defer drain(receiving)

	endpoint, err := c.register(ctx, api, "http://"+listener.Addr().String()+receiver.path)
	if err != nil {
		return err
	}
	defer c.remove(ctx, p, api, endpoint)

	secret, err := api.endpointSecret(ctx, c.App, endpoint)
	if err != nil {
		return fmt.Errorf("getting the secret of %s: %w", endpoint, err)
	}
	key, err := signing.ParseKey(secret)
	if err != nil {
		return fmt.Errorf("reading the secret of %s: %w", endpoint, err)
	}
	receiver.verifyWith(key)
	fmt.Fprintf(p.stderr, "posthorn: listening for %s of %s at %s as %s; Ctrl-C ends it and removes the endpoint\n",
		c.subscription(), c.App, listener.Addr(), endpoint)

	select {
	case <-ctx.Done():
		return nil
	case err := <-served:
		return fmt.Errorf("receiving: %w", err)
	}
}

func (c *listenCmd) validate() error {
	if err := checkApp(c.App); err != nil {
		return err
	}
	if c.Status < 200 || c.Status > 599 {
		return usagef("--status must be between 200 and 599, not %d", c.Status)
	}
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return usagef("--address must be host:port such as 127.0.0.1:0, not %q", c.Address)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return usagef("--address must name the host that the server is to send to, not %q", c.Address)
	}
	if c.Forward == "" {
		return nil
	}
	if c.Status != http.StatusOK {
		return usagef("--status and --forward exclude each other: what is forwarded gets the answer from there")
	}
	target, err := url.Parse(c.Forward)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return usagef("--forward must be a URL such as http://localhost:3000/webhooks, not %q", c.Forward)
	}
	return nil
}

func (c *listenCmd) receiver(p *program) *receiver {
	r := &receiver{
		path:  "/" + rand.Text(), // nobody else is to post here
		now:   p.now,
		ready: make(chan struct{}),
		answer: func(context.Context, http.Header, []byte) answer {
			return answer{status: c.Status}
		},
		show: printer(p, c.JSON),
	}
	if c.Forward != "" {
		forwarder := newForwarder(c.Forward)
		r.answer, r.close = forwarder.forward, forwarder.close
	} else {
		r.close = func() {}
	}
	return r
}

// register makes the application if need be, and the endpoint. An interrupt does not cut the request off that makes
// the endpoint: it could then be there with nobody to remove it.
func (c *listenCmd) register(ctx context.Context, api *client, address string) (id string, err error) {
	if posthorn.ApplicationID.Has(c.App) {
		_, err = api.app(ctx, c.App)
	} else {
		err = api.ensureApp(ctx, c.App)
	}
	if err != nil {
		return "", fmt.Errorf("looking up the application %q: %w", c.App, c.explain(err))
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), registerTimeout)
	defer cancel()
	endpoint, err := api.createEndpoint(ctx, c.App, endpointIn{
		URL:         address,
		Description: "posthorn listen",
		EventTypes:  c.EventTypes,
	})
	if answered(err, http.StatusUnprocessableEntity) && len(c.EventTypes) > 0 {
		return "", fmt.Errorf("registering the endpoint: %w (new event types are made with POST %s; without --event-types all are received)",
			err, api.url("event-type"))
	}
	if err != nil {
		return "", fmt.Errorf("registering the endpoint: %w", err)
	}
	return endpoint.ID, nil
}

// remove deletes the endpoint; ctx has usually ended by then.
func (c *listenCmd) remove(ctx context.Context, p *program, api *client, endpoint string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	if err := api.deleteEndpoint(ctx, c.App, endpoint); err != nil {
		fmt.Fprintf(p.stderr, "posthorn: the endpoint %s could not be removed: %s\n", endpoint, oneLine(err.Error()))
		return
	}
	fmt.Fprintf(p.stderr, "posthorn: removed %s\n", endpoint)
}

// drain lets deliveries that have arrived get their answer.
func drain(s *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if s.Shutdown(ctx) != nil {
		_ = s.Close() // whoever is still waiting will be sent to again
	}
}

func (c *listenCmd) subscription() string {
	if len(c.EventTypes) == 0 {
		return "all events"
	}
	return strings.Join(c.EventTypes, ", ")
}
