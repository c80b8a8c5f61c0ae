package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// clients is how many messages are resent at once.
	clients = 16
	// patience is how long one measurement may take.
	patience = 10 * time.Minute
)

// measure has all messages of an endpoint sent again, and returns how many a second were sent and recorded.
func (s *stage) measure(ctx context.Context, ep endpoint, again func(context.Context, endpoint) error) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before, begun := s.received.Load(), time.Now()
	if err := again(ctx, ep); err != nil {
		return 0, err
	}
	for n := 0; n < len(ep.messages); {
		var count struct{ Count int }
		if err := s.call(ctx, http.MethodGet, "/app/"+s.appID+"/attempt/endpoint/"+ep.id+"/count?status=0", "", &count); err != nil {
			return 0, err
		}
		if n = count.Count; n < len(ep.messages) {
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return 0, fmt.Errorf("%d of %d messages were sent again: %w", n, len(ep.messages), ctx.Err())
			}
		}
	}
	took := time.Since(begun)
	if got := s.received.Load() - before; got < int64(len(ep.messages)) {
		return 0, fmt.Errorf("%d requests for %d messages", got, len(ep.messages))
	}
	return float64(len(ep.messages)) / took.Seconds(), nil
}

var errUnavailable = errors.New("the API says that it is unavailable")

// resend begins a workflow for each message.
func (s *stage) resend(ctx context.Context, ep endpoint) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(clients)
	for _, id := range ep.messages {
		group.Go(func() error {
			for { // a machine that is very busy may take longer to begin a workflow than the API waits
				err := s.call(ctx, http.MethodPost, "/app/"+s.appID+"/msg/"+id+"/endpoint/"+ep.id+"/resend", "", nil)
				if !errors.Is(err, errUnavailable) {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// recover begins one task for all messages.
func (s *stage) recover(ctx context.Context, ep endpoint) error {
	body := fmt.Sprintf(`{"since":%q}`, s.began.UTC().Format(time.RFC3339Nano))
	return s.call(ctx, http.MethodPost, "/app/"+s.appID+"/endpoint/"+ep.id+"/recover", body, nil)
}

// call calls the API. Out gets the answer, unless it is nil.
func (s *stage) call(ctx context.Context, method, path, body string, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, s.app.URL()+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode == http.StatusServiceUnavailable:
		return errUnavailable
	case response.StatusCode/100 != 2:
		return fmt.Errorf("%s %s answered %d: %s", method, path, response.StatusCode, answer)
	case out == nil:
		return nil
	default:
		return json.Unmarshal(answer, out)
	}
}
