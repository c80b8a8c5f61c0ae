package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// pollEvery is how often send looks whether a delivery has got further.
const pollEvery = 100 * time.Millisecond

// sendCmd sends one event.
type sendCmd struct {
	connection
	App       string   `arg:"" help:"Application to send to: its uid or id."`
	EventType string   `arg:"" help:"Event type, such as order.created."`
	Data      string   `placeholder:"JSON|@FILE|-" default:"{}" help:"The payload, a JSON object: as it is, from a file, or - for standard input."`
	EventID   string   `placeholder:"ID" help:"Your own id for the event: a second one with the same id is refused."`
	Channels  []string `placeholder:"NAME" help:"Channels of the event, separated by commas; endpoints that listen on particular channels get only those."`
	Create    bool     `help:"Make the application if there is none of this uid."`
	Wait      duration `placeholder:"TIME" default:"3s" help:"How long to watch the deliveries; 0s not at all. The event is on its way in any case."`
}

// Help implements kong.HelpProvider.
func (*sendCmd) Help() string {
	return `Prints the id of the message, then where to look it up, then one line for each endpoint with the state of its delivery. The exit code is 0 once the event is accepted, whatever becomes of its deliveries: Posthorn goes on retrying.

Examples:

    posthorn send demo order.created --data '{"id":"ord_1","total":4200}' --create
    posthorn send demo order.created --data @order.json --event-id ord_1-created
    jq .order export.json | posthorn send demo order.created --data -`
}

// Run sends the event and watches its deliveries for a while.
func (c *sendCmd) Run(ctx context.Context, p *program) error {
	if err := checkApp(c.App); err != nil {
		return err
	}
	if c.Wait < 0 {
		return usagef("--wait must not be negative")
	}
	payload, err := c.payload(ctx, p)
	if err != nil {
		return err
	}
	api, err := c.connect(p)
	if err != nil {
		return err
	}
	defer api.close()

	in := messageIn{EventType: c.EventType, EventID: c.EventID, Channels: c.Channels, Payload: payload}
	if c.Create {
		in.Application = &appIn{UID: c.App, Name: c.App}
	}
	message, err := api.createMessage(ctx, c.App, in)
	switch {
	case answered(err, http.StatusNotFound):
		return fmt.Errorf("there is no application %q at %s: --create makes it", c.App, api.server())
	case err != nil:
		return fmt.Errorf("sending to %s: %w", c.App, c.explain(err))
	}
	fmt.Fprintln(p.stdout, message.ID)
	fmt.Fprintf(p.stdout, "deliveries: %s\n", api.destinationsURL(c.App, message.ID).Redacted())
	if c.Wait == 0 {
		return nil
	}
	return c.watch(ctx, p, api, message.ID)
}

// watch prints how the deliveries stand when each has had its first attempt, or when the time to wait is over.
// An interrupt only ends the watching: accepted is accepted.
func (c *sendCmd) watch(ctx context.Context, p *program, api *client, message string) error {
	expected, err := api.hasEndpoints(ctx, c.App)
	if err != nil {
		return unlessEnded(ctx, fmt.Errorf("looking up the endpoints of %s: %w", c.App, err))
	}
	if !expected {
		fmt.Fprintf(p.stdout, "%s has no endpoint yet: add one with `posthorn listen --app %s`\n", c.App, c.App)
		return nil
	}
	deadline := time.NewTimer(time.Duration(c.Wait))
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for over := false; ; {
		found, err := api.destinations(ctx, c.App, message)
		if err != nil {
			return unlessEnded(ctx, fmt.Errorf("looking up the deliveries of %s: %w", message, err))
		}
		if over || len(found) > 0 && !slices.ContainsFunc(found, unattempted) {
			c.printDestinations(p, found)
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			over = true
		case <-ctx.Done():
			return nil
		}
	}
}

// unattempted reports whether the first attempt has not ended yet.
func unattempted(d destination) bool {
	return d.NextAttempt == nil && (d.Status == statusPending || d.Status == statusSending)
}

func (c *sendCmd) printDestinations(p *program, found []destination) {
	if len(found) == 0 {
		fmt.Fprintf(p.stdout, "no delivery within %s: does an endpoint of %s take %s?\n", time.Duration(c.Wait), c.App, c.EventType)
	}
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, d := range found {
		fmt.Fprintf(table, "%s\t%s\t%s\n", d.state(p.now()), d.ID, printable(d.URL))
	}
	_ = table.Flush() // standard output that is gone cannot be told so
}

// state is a word or two on how a delivery stands.
func (d destination) state(now time.Time) string {
	switch {
	case d.Status == statusSuccess:
		return "delivered"
	case d.Status == statusFail:
		return "failed"
	case d.NextAttempt != nil:
		return fmt.Sprintf("retrying in %s", max(d.NextAttempt.Sub(now), 0).Round(time.Second))
	default:
		return "pending"
	}
}

// payload reads --data and checks that it is a JSON object.
func (c *sendCmd) payload(ctx context.Context, p *program) (json.RawMessage, error) {
	data, origin := []byte(c.Data), "--data"
	if name, isFile := strings.CutPrefix(c.Data, "@"); isFile {
		content, err := os.ReadFile(name)
		if err != nil {
			if path, ok := errors.AsType[*fs.PathError](err); ok {
				err = path.Err
			}
			return nil, usagef("--data @%s: %w", name, err)
		}
		data, origin = content, "--data @"+name
	}
	if c.Data == "-" {
		if isTerminal(p.stdin) {
			fmt.Fprintln(p.stderr, "posthorn: type the JSON payload, Ctrl-D ends it")
		}
		content, err := readAll(ctx, p.stdin)
		if err != nil {
			return nil, fmt.Errorf("reading the payload from standard input: %w", err)
		}
		data, origin = content, "--data -"
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return nil, usagef("%s is not JSON: %w", origin, err)
	}
	if _, isObject := value.(map[string]any); !isObject {
		return nil, usagef(`%s must be a JSON object such as {"id":"ord_1"}`, origin)
	}
	return bytes.TrimSpace(data), nil
}

// readAll is io.ReadAll that ctx can interrupt. The read itself then stays behind until the process ends.
func readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	type result struct {
		content []byte
		err     error
	}
	done := make(chan result, 1)
	go func() {
		content, err := io.ReadAll(r)
		done <- result{content, err}
	}()
	select {
	case got := <-done:
		return got.content, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
