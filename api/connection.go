package api

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"
)

// Connections are the limits of what a single connection can hold up. Zero fields have the defaults.
type Connections struct {
	HeaderTimeout time.Duration // for sending the headers of a request; default 10 seconds
	ReadTimeout   time.Duration // for sending a request, body included; default 1 minute
	WriteTimeout  time.Duration // from the end of the headers to the end of the answer; default 2 minutes
	IdleTimeout   time.Duration // between two requests; default 2 minutes
	MaxHeader     int           // of all headers together, in bytes, give or take 4096; default 64 KiB
}

// HTTPServer returns a server for the handler that no client can hold up for long. What it has to say about clients goes
// to the log at level debug.
func HTTPServer(handler http.Handler, c Connections, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: cmp.Or(c.HeaderTimeout, 10*time.Second),
		ReadTimeout:       cmp.Or(c.ReadTimeout, time.Minute),
		WriteTimeout:      cmp.Or(c.WriteTimeout, 2*time.Minute),
		IdleTimeout:       cmp.Or(c.IdleTimeout, 2*time.Minute),
		MaxHeaderBytes:    cmp.Or(c.MaxHeader, 64<<10),
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
