package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/internal/devserver"
	"github.com/posthorn/posthorn/signing"
)

const naiveQueue = "naive"

// naiveEvent is the input of the naive workflow: everything that it needs.
type naiveEvent struct {
	ID      string
	URLs    []string
	Payload json.RawMessage
}

// naiveDelivery is the input of the naive activity.
type naiveDelivery struct {
	ID      string
	URL     string
	Payload json.RawMessage
}

// deliverNaively is the naive workflow: one plain activity per endpoint, with the default retry policy.
func deliverNaively(ctx workflow.Context, e naiveEvent) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 15 * time.Second})
	var sender *naiveSender
	var deliveries []workflow.Future
	for _, url := range e.URLs {
		deliveries = append(deliveries, workflow.ExecuteActivity(ctx, sender.Send, naiveDelivery{e.ID, url, e.Payload}))
	}
	var errs []error
	for _, d := range deliveries {
		errs = append(errs, d.Get(ctx, nil))
	}
	return errors.Join(errs...)
}

// naiveSender has the naive activity. It keeps no record of attempts.
type naiveSender struct {
	client *http.Client
	keys   map[string]signing.Key // by URL
}

// Send signs and posts an event to one endpoint.
func (s *naiveSender) Send(ctx context.Context, d naiveDelivery) error {
	now := time.Now()
	signature, err := signing.Sign(d.ID, now, d.Payload, s.keys[d.URL])
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(d.Payload))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(signing.HeaderID, d.ID)
	req.Header.Set(signing.HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(signing.HeaderSignature, signature)
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", d.URL, res.Status)
	}
	return nil
}

// naiveService is the naive design in one process: API, worker, and an embedded Temporal.
type naiveService struct {
	where   address
	closers []func() error // in the order of starting
}

// startEngine starts the Temporal server that the variant of the naive design runs on.
func startEngine(ctx context.Context, s system, o devserver.Options) (*devserver.Server, error) {
	switch s {
	case naive:
		return devserver.StartStock(ctx, o, "delete")
	case naiveWAL:
		return devserver.StartStock(ctx, o, "wal")
	default:
		return devserver.Start(ctx, o)
	}
}

func startNaive(ctx context.Context, a assignment) (_ service, err error) {
	s := new(naiveService)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	file, err := os.Create(filepath.Join(a.Dir, "naive.log"))
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, file.Close)
	log := slog.New(slog.NewTextHandler(file, &slog.HandlerOptions{Level: slog.LevelWarn}))

	engine, err := startEngine(ctx, a.System, devserver.Options{Dir: a.Dir, Listen: "127.0.0.1:0", Logger: log})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, engine.Stop)

	c, err := client.DialContext(ctx, client.Options{HostPort: engine.Address(), Logger: sdklog.NewStructuredLogger(log)})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() error { c.Close(); return nil })

	sender := &naiveSender{client: &http.Client{Timeout: 15 * time.Second}, keys: make(map[string]signing.Key)}
	var urls []string
	for _, t := range a.Targets {
		if sender.keys[t.URL], err = signing.ParseKey(t.Secret); err != nil {
			return nil, err
		}
		urls = append(urls, t.URL)
	}
	w := worker.New(c, naiveQueue, worker.Options{})
	w.RegisterWorkflow(deliverNaively)
	w.RegisterActivity(sender)
	if err := w.Start(); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() error { w.Stop(); return nil })

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: naiveAPI(c, urls), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // ends with Close
	s.closers = append(s.closers, server.Close)
	s.where = address{API: "http://" + listener.Addr().String(), Temporal: engine.Address()}
	return s, nil
}

// naiveAPI takes an event the way Posthorn does and answers when it is durable.
func naiveAPI(c client.Client, urls []string) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.POST("/events", func(g *gin.Context) {
		var in struct {
			EventType string          `json:"eventType" binding:"required"`
			Payload   json.RawMessage `json:"payload" binding:"required"`
		}
		if err := g.ShouldBindJSON(&in); err != nil {
			g.JSON(http.StatusBadRequest, gin.H{"error": err.Error()})
			return
		}
		e := naiveEvent{ID: "msg_" + uuid.NewString(), URLs: urls, Payload: in.Payload}
		_, err := c.ExecuteWorkflow(g, client.StartWorkflowOptions{ID: e.ID, TaskQueue: naiveQueue}, deliverNaively, e)
		if err != nil {
			g.JSON(http.StatusServiceUnavailable, gin.H{"error": err.Error()})
			return
		}
		g.JSON(http.StatusAccepted, gin.H{"id": e.ID, "eventType": in.EventType})
	})
	return router
}

func (s *naiveService) address() (address, error) { return s.where, nil }

func (s *naiveService) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}
