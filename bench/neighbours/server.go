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
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
)

const (
	startPatience = time.Minute
	stopPatience  = 30 * time.Second
)

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
	cmd *exec.Cmd
	dir string
	in  io.WriteCloser
}

// startServer runs this program again as a server, in a fresh folder, and returns when it takes requests.
func startServer(ctx context.Context) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "posthorn-neighbours-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, cmd: exec.Command(self, childCommand)}
	// A Ctrl-C of the terminal reaches the parent only, which then ends the child in order.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		s.in, err = s.cmd.StdinPipe()
	}
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = s.cmd.Process.Kill() })()
	_, err = fmt.Fprintln(s.in, dir)
	if err == nil {
		err = json.NewDecoder(out).Decode(&s.address)
	}
	if err != nil {
		return nil, fmt.Errorf("starting the server: %w", errors.Join(context.Cause(ctx), err, s.close()))
	}
	return s, nil
}

// profile has the server write a profile to a file, or end it if the name is empty.
func (s *server) profile(file string) error {
	_, err := fmt.Fprintln(s.in, file)
	return err
}

// close ends the server, by force if it takes long, and removes its data.
func (s *server) close() error {
	_ = s.in.Close() // it may be gone already
	force := time.AfterFunc(stopPatience, func() { _ = s.cmd.Process.Kill() })
	err := s.cmd.Wait()
	if !force.Stop() {
		err = nil // it was in the middle of a burst
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
