package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"github.com/posthorn/posthorn/bench/internal/rig"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
)

const stopPatience = 30 * time.Second

// address is where a server is to be found.
type address struct {
	URL   string
	Token string
}

// runServer is the life of the child: Posthorn as `posthorn dev` starts it, on free ports. Each line of its input is a
// file to write a profile of processor time to, or empty to end that. The end of the input ends the child.
func runServer(in io.Reader, out io.Writer) (err error) {
	lines := bufio.NewScanner(in)
	if !lines.Scan() {
		return fmt.Errorf("reading the folder: %w", cmp.Or(lines.Err(), io.ErrUnexpectedEOF))
	}
	cfg := config.Default()
	cfg.Listen, cfg.TemporalListen, cfg.TemporalUIListen = "127.0.0.1:0", "127.0.0.1:0", ""
	cfg.DataDir = lines.Text()
	cfg.AllowSubnets = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	log, err := os.Create(filepath.Join(cfg.DataDir, "posthorn.log"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	app.SaveMemory()
	server, err := app.New(cfg, "", slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	if err := server.Start(context.Background()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	token, err := server.Token()
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(address{server.URL(), token}); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	for lines.Scan() {
		pprof.StopCPUProfile()
		if lines.Text() == "" {
			continue
		}
		f, err := os.Create(lines.Text())
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil { // the file stays open until the process ends
			return err
		}
	}
	return lines.Err()
}

// server is the child, seen from its parent.
type server struct {
	address
	*rig.Child
}

// startServer runs this program again as a server, in a fresh folder, and returns when it takes requests.
func startServer(ctx context.Context) (*server, error) {
	s := new(server)
	kind := rig.Kind{Name: "the server", Argument: childCommand, StopPatience: stopPatience}
	child, err := rig.Start(ctx, kind, func(c *rig.Child) error {
		if _, err := fmt.Fprintln(c.In, c.Dir); err != nil {
			return err
		}
		return json.NewDecoder(c.Out).Decode(&s.address)
	})
	if err != nil {
		return nil, err
	}
	s.Child = child
	return s, nil
}

// profile has the server write a profile to a file, or end it if the name is empty.
func (s *server) profile(file string) error {
	_, err := fmt.Fprintln(s.In, file)
	return err
}

// close ends the server and removes its data. It may have to be killed: it was in the middle of a burst.
func (s *server) close() error {
	_, err := s.Close()
	return err
}
