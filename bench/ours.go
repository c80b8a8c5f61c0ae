package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
)

// posthornService is Posthorn as `posthorn dev` starts it, on free ports.
type posthornService struct {
	*app.App
	log *os.File
}

func startPosthorn(ctx context.Context, a assignment) (service, error) {
	cfg := config.Default()
	cfg.Listen, cfg.TemporalListen, cfg.TemporalUIListen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.DataDir = a.Dir
	cfg.AllowSubnets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

	log, err := os.Create(filepath.Join(a.Dir, "posthorn.log"))
	if err != nil {
		return nil, err
	}
	app.SaveMemory()
	server, err := app.New(cfg, "", slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: cfg.LogLevel})))
	if err == nil {
		err = server.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &posthornService{server, log}, nil
}

func (s *posthornService) address() (address, error) {
	token, err := s.Token()
	if err != nil {
		return address{}, fmt.Errorf("making a token: %w", err)
	}
	return address{API: s.URL(), Token: token, Temporal: s.TemporalAddress()}, nil
}

func (s *posthornService) close() error { return errors.Join(s.Close(), s.log.Close()) }
