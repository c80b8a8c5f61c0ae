package main

import (
	"os"
	"time"

	"github.com/posthorn/posthorn/internal/usage"
)

// sight is how far everything had come at a moment.
type sight struct {
	at                   time.Time
	refused              int64
	loudPosts, loudGot   int64
	server, own, machine time.Duration
}

func look(s *server, quiet, loud *tenant) (now sight, err error) {
	now = sight{at: time.Now(), refused: quiet.refused.Load(), loudPosts: loud.accepted.Load(), loudGot: loud.received.Load()}
	server, err := usage.Of(s.PID())
	if err != nil {
		return
	}
	own, err := usage.Of(os.Getpid())
	if err != nil {
		return
	}
	now.server, now.own = server.CPU, own.CPU
	now.machine, err = usage.Machine()
	return
}
