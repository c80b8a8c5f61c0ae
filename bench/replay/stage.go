package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlite"
	"github.com/posthorn/posthorn/signing"
)

// endpoint is one that did not take its messages.
type endpoint struct {
	id       string
	messages []string
}

// stage is a server with endpoints that have messages to be sent again, and what receives them.
type stage struct {
	app       *app.App
	receiver  *httptest.Server
	received  atomic.Int64
	client    *http.Client
	token     string
	appID     string
	began     time.Time
	endpoints []endpoint
}

func startStage(ctx context.Context, dir string, o options) (s *stage, err error) {
	s = &stage{appID: posthorn.ApplicationID.New(), began: time.Now().Add(-time.Hour)}
	s.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	s.receiver = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { s.received.Add(1) }))
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.fill(ctx, filepath.Join(dir, "posthorn.db"), o); err != nil {
		return s, fmt.Errorf("making the messages: %w", err)
	}
	cfg := config.Default()
	cfg.Listen, cfg.TemporalListen, cfg.TemporalUIListen, cfg.DataDir = "127.0.0.1:0", "127.0.0.1:0", "", dir
	cfg.AllowSubnets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if s.app, err = app.New(cfg, "", slog.New(slog.DiscardHandler)); err != nil {
		return s, err
	}
	if err := s.app.Start(ctx); err != nil {
		return s, err
	}
	s.token, err = s.app.Token()
	return s, err
}

func (s *stage) close() error {
	var err error
	if s.app != nil {
		err = s.app.Close()
	}
	s.client.CloseIdleConnections()
	s.receiver.Close()
	return err
}

// fill makes the endpoints and messages that have failed there.
func (s *stage) fill(ctx context.Context, path string, o options) (err error) {
	db, err := sqlite.Open(ctx, sqlite.Options{Path: path, Durability: sqlite.Normal})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.CreateApplication(ctx, posthorn.Application{ID: s.appID, OrgID: posthorn.DefaultOrg, Name: "Replay", CreatedAt: s.began}); err != nil {
		return err
	}
	for range 2 * o.rounds {
		ep := posthorn.Endpoint{
			ID: posthorn.EndpointID.New(), AppID: s.appID, URL: s.receiver.URL, CreatedAt: s.began,
			Secrets: []posthorn.Secret{{Key: signing.NewSymmetricKey()}},
		}
		if err := db.CreateEndpoint(ctx, ep); err != nil {
			return err
		}
		made := endpoint{ep.ID, make([]string, o.messages)}
		var group errgroup.Group
		group.SetLimit(256) // share commits
		for i := range made.messages {
			at := s.began.Add(time.Duration(i+1) * time.Millisecond)
			made.messages[i] = posthorn.MessageID.Derive(at, ep.ID)
			group.Go(func() error { return fail(ctx, db, ep, made.messages[i], at) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
		s.endpoints = append(s.endpoints, made)
	}
	return nil
}

// fail stores a message that an endpoint did not take.
func fail(ctx context.Context, db *sqlite.Store, ep posthorn.Endpoint, id string, at time.Time) error {
	m := posthorn.Message{
		ID: id, AppID: ep.AppID, EventType: "order.created", CreatedAt: at, ExpiresAt: at.Add(posthorn.DefaultRetention),
		Payload: fmt.Appendf(nil, `{"type":"order","text":"%0400d"}`, 0),
	}
	if err := db.CreateMessage(ctx, m); err != nil {
		return err
	}
	_, err := db.Record(ctx, store.Record{MessageID: id, AppID: ep.AppID, Dispatched: true, Attempts: []posthorn.Attempt{{
		ID: posthorn.AttemptID.New(), MessageID: id, AppID: ep.AppID, EndpointID: ep.ID, EventType: m.EventType,
		Trigger: posthorn.Automatic, Status: http.StatusServiceUnavailable, StartedAt: at,
	}}})
	return err
}
