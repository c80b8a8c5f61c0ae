package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// The resources of the API, as far as the commands need them.
type (
	appIn struct {
		UID  string `json:"uid"`
		Name string `json:"name"`
	}
	appOut struct {
		ID string `json:"id"`
	}
	endpointIn struct {
		URL         string   `json:"url"`
		Description string   `json:"description"`
		EventTypes  []string `json:"eventTypes,omitempty"`
	}
	endpointOut struct {
		ID string `json:"id"`
	}
	messageIn struct {
		EventType   string          `json:"eventType"`
		EventID     string          `json:"eventId,omitempty"`
		Channels    []string        `json:"channels,omitempty"`
		Payload     json.RawMessage `json:"payload,omitempty"`
		Application *appIn          `json:"application,omitempty"`
	}
	messageOut struct {
		ID string `json:"id"`
	}
	destination struct {
		ID          string     `json:"id"`
		URL         string     `json:"url"`
		Status      int        `json:"status"`
		NextAttempt *time.Time `json:"nextAttempt"`
	}
)

// Values of destination.Status.
const (
	statusSuccess = 0
	statusPending = 1
	statusFail    = 2
	statusSending = 3
)

type list[T any] struct {
	Data []T `json:"data"`
}

func (c *client) app(ctx context.Context, app string) (out appOut, err error) {
	err = c.do(ctx, http.MethodGet, c.url("app", app), nil, &out)
	return out, err
}

// ensureApp makes the application if it is missing. It looks first, because a token limited to the application may
// look but not make.
func (c *client) ensureApp(ctx context.Context, app string) error {
	_, err := c.app(ctx, app)
	if !answered(err, http.StatusNotFound) {
		return err
	}
	u := c.url("app")
	u.RawQuery = url.Values{"get_if_exists": {"true"}}.Encode()
	return c.do(ctx, http.MethodPost, u, appIn{UID: app, Name: app}, nil)
}

func (c *client) hasEndpoints(ctx context.Context, app string) (bool, error) {
	u := c.url("app", app, "endpoint")
	u.RawQuery = url.Values{"limit": {"1"}}.Encode()
	var out list[endpointOut]
	err := c.do(ctx, http.MethodGet, u, nil, &out)
	return len(out.Data) > 0, err
}

func (c *client) createEndpoint(ctx context.Context, app string, in endpointIn) (out endpointOut, err error) {
	err = c.do(ctx, http.MethodPost, c.url("app", app, "endpoint"), in, &out)
	return out, err
}

func (c *client) deleteEndpoint(ctx context.Context, app, endpoint string) error {
	return c.do(ctx, http.MethodDelete, c.url("app", app, "endpoint", endpoint), nil, nil)
}

func (c *client) endpointSecret(ctx context.Context, app, endpoint string) (string, error) {
	var out struct {
		Key string `json:"key"`
	}
	err := c.do(ctx, http.MethodGet, c.url("app", app, "endpoint", endpoint, "secret"), nil, &out)
	return out.Key, err
}

// createMessage puts the payload into the request as it is written: encoding/json would strip its white space, and
// receivers get what the API got.
func (c *client) createMessage(ctx context.Context, app string, in messageIn) (out messageOut, err error) {
	payload := in.Payload
	in.Payload = nil
	rest, err := json.Marshal(in)
	if err != nil {
		return out, fmt.Errorf("encoding the message: %w", err)
	}
	body := slices.Concat([]byte(`{"payload":`), payload, []byte(","), rest[1:])
	err = c.do(ctx, http.MethodPost, c.url("app", app, "msg"), verbatim(body), &out)
	return out, err
}

// destinationsURL is where to look up the deliveries of a message.
func (c *client) destinationsURL(app, message string) *url.URL {
	return c.url("app", app, "msg", message, "endpoint")
}

func (c *client) destinations(ctx context.Context, app, message string) ([]destination, error) {
	u := c.destinationsURL(app, message)
	u.RawQuery = url.Values{"limit": {"250"}}.Encode()
	var out list[destination]
	err := c.do(ctx, http.MethodGet, u, nil, &out)
	return out.Data, err
}

// health asks in a way that every role understands.
func (c *client) health(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, c.base.JoinPath("readyz"), nil, nil)
}
