package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/api"
	"github.com/posthorn/posthorn/internal/store/sqlite"
)

// target is what a p99 has to stay below, in ms.
const target = 50

// result is how long one listing took.
type result struct {
	listing
	backward bool
	items    int
	took     []time.Duration
}

// measure serves the database over HTTP and asks for each list, from its beginning and from its end.
func measure(ctx context.Context, path string, d data, requests int) (results []result, err error) {
	s, err := sqlite.Open(ctx, sqlite.Options{Path: path, Durability: sqlite.Normal})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := d.addVaried(ctx, s); err != nil {
		return nil, err
	}
	tokens, err := api.NewTokens([]byte("a secret of the measurement, and of nothing else"))
	if err != nil {
		return nil, err
	}
	token, err := tokens.Organisation(posthorn.DefaultOrg)
	if err != nil {
		return nil, err
	}
	served, err := api.New(api.Options{Store: s, Dispatcher: struct{ api.Dispatcher }{}, Tokens: tokens})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: served.Handler(), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // ends when it is closed
	defer func() { err = errors.Join(err, server.Close()) }()
	c := client{base: "http://" + listener.Addr().String() + "/api/v1", token: token, http: &http.Client{Transport: &http.Transport{}}}
	defer c.http.CloseIdleConnections()

	for _, l := range listings(&d) {
		for _, backward := range []bool{false, true} {
			if backward && (l.counts || l.kind == "") {
				continue
			}
			r, err := c.ask(ctx, l, backward, d.oldest, requests)
			if err != nil {
				return nil, fmt.Errorf("%s by %s: %w", l.list, l.filter, err)
			}
			results = append(results, r)
		}
	}
	return results, nil
}

type client struct {
	base, token string
	http        *http.Client
}

// ask repeats one request and checks each answer.
func (c client) ask(ctx context.Context, l listing, backward bool, oldest time.Time, requests int) (result, error) {
	r := result{listing: l, backward: backward}
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	if l.counts {
		query = url.Values{}
	}
	for name, values := range l.query {
		query[name] = values
	}
	if backward {
		query.Set("iterator", "-"+l.kind.Floor(oldest.Add(-24*time.Hour)))
		if l.list == "applications" {
			query.Set("iterator", "-"+l.kind.Floor(time.Now()))
		}
		if l.kind == posthorn.EndpointID {
			query.Set("iterator", "-"+l.kind.Floor(time.Time{}))
		}
	}
	for range requests {
		begin := time.Now()
		body, err := c.get(ctx, l.path+"?"+query.Encode())
		if err != nil {
			return r, err
		}
		r.took = append(r.took, time.Since(begin))
		if r.items, err = l.check(body); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (c client) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %d: %s", response.StatusCode, body)
	}
	return body, err
}

// check compares the number of items with what there are.
func (l listing) check(body []byte) (items int, err error) {
	var answer struct {
		Data  []json.RawMessage
		Count int
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, err
	}
	items, most := len(answer.Data), pageSize
	if l.counts {
		items, most = answer.Count, 10_000
	}
	if want := min(l.matches, most); l.matches >= 0 && items != want {
		return items, fmt.Errorf("%d items, not %d", items, want)
	}
	if l.matches < 0 && items == 0 {
		return 0, errors.New("no items")
	}
	return items, nil
}

// report prints a table in Markdown, and how many lists are slower than they may be.
func report(out io.Writer, results []result) error {
	t := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprint(t, "| list\t| narrowed to\t| items\t| p50 ms\t| p99 ms\t| backward p50 ms\t| p99 ms\t|\n|---\t|---\t|--:\t|--:\t|--:\t|--:\t|--:\t|\n")
	slow, worst := 0, 0.0
	for i, r := range results {
		p50, p99 := percentiles(r.took)
		worst = max(worst, p99)
		if p99 >= target {
			slow++
		}
		if r.backward {
			continue
		}
		fmt.Fprintf(t, "| %s\t| %s\t| %d\t| %.1f\t| %.1f\t", r.list, r.filter, r.items, p50, p99)
		if i+1 < len(results) && results[i+1].backward {
			p50, p99 := percentiles(results[i+1].took)
			fmt.Fprintf(t, "| %.1f\t| %.1f\t|\n", p50, p99)
		} else {
			fmt.Fprint(t, "|\t|\t|\n")
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%d lists; the largest p99 is %.1f ms; %d have one of %d ms or more\n", len(results), worst, slow, target)
	return err
}

func percentiles(took []time.Duration) (p50, p99 float64) {
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[max(int(math.Ceil(q*float64(len(took))))-1, 0)]) / float64(time.Millisecond)
	}
	return at(0.50), at(0.99)
}
