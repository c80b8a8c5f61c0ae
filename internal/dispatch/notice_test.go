package dispatch

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

// While Temporal does not answer, notices are taken without a wait; those beyond the limit are left to the sweep.
func TestNoticesDoNotWait(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var mu sync.Mutex
	started := map[string]bool{}
	answer, all := make(chan struct{}), make(chan struct{})
	n := newNotices(func(_ context.Context, m posthorn.Message) error {
		<-answer
		mu.Lock()
		defer mu.Unlock()
		if started[m.ID] = true; len(started) == maxNotices {
			close(all)
		}
		return posthorn.Errorf(posthorn.Conflict, "begun")
	}, slog.New(slog.NewTextHandler(&log, nil)))
	for i := range maxNotices + noticeStarters + 1 {
		n.Add(posthorn.Message{ID: strconv.Itoa(i)})
	}
	close(answer)
	<-all
	n.Close()
	require.Contains(t, log.String(), "told later, because many are waiting")
}

func TestNoticesEndWithTheProcess(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	begun := make(chan struct{}, 2*noticeStarters)
	n := newNotices(func(ctx context.Context, m posthorn.Message) error {
		if m.ID == "refused" {
			return errors.New("no answer")
		}
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}, slog.New(slog.NewTextHandler(&log, nil)))
	n.Add(posthorn.Message{ID: "refused"})
	for range 2 * noticeStarters {
		n.Add(posthorn.Message{ID: "slow"})
	}
	for range noticeStarters {
		<-begun
	}
	n.Close()
	require.Contains(t, log.String(), "message=refused")
	require.NotContains(t, log.String(), "message=slow")
	n.Add(posthorn.Message{ID: "after the end"})
}
