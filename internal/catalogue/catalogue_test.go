package catalogue_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/catalogue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a catalogue that counts how often it is read.
type source struct {
	mu     sync.Mutex
	types  map[string]posthorn.EventType
	notify func(org, name string)
	reads  atomic.Int32
	err    error
}

func (s *source) EventType(_ context.Context, org, name string) (posthorn.EventType, error) {
	s.reads.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return posthorn.EventType{}, s.err
	}
	if et, ok := s.types[org+" "+name]; ok {
		return et, nil
	}
	return posthorn.EventType{}, posthorn.Errorf(posthorn.NotFound, "no such event type")
}

func (s *source) OnEventTypeChange(f func(org, name string)) { s.notify = f }

func (s *source) Owner(_ context.Context, appID string) (string, error) {
	s.reads.Add(1)
	if appID != "app" {
		return "", posthorn.Errorf(posthorn.NotFound, "no such application")
	}
	return "org", nil
}

// put changes an event type as another process does: without a word.
func (s *source) put(name string, schemas map[string]json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.types == nil {
		s.types = map[string]posthorn.EventType{}
	}
	s.types["org "+name] = posthorn.EventType{Name: name, Schemas: schemas}
}

func TestTable(t *testing.T) {
	t.Parallel()
	one := map[string]json.RawMessage{"1": json.RawMessage(`{"type":"object"}`)}
	two := map[string]json.RawMessage{"1": json.RawMessage(`{"type":"object"}`), "2": json.RawMessage(`{}`)}

	t.Run("reads an event type once, also one that isn't there", func(t *testing.T) {
		t.Parallel()
		s := &source{}
		s.put("a", one)
		table := catalogue.New(s)
		for range 1000 {
			found, err := table.Type(t.Context(), "org", "a")
			require.NoError(t, err)
			require.Equal(t, "1", found.Newest())
			found, err = table.Type(t.Context(), "org", "none")
			require.NoError(t, err)
			require.Nil(t, found)
			found, err = table.Type(t.Context(), "other", "a")
			require.NoError(t, err)
			require.Nil(t, found, "another organisation's is another's")
		}
		require.EqualValues(t, 3, s.reads.Load())
	})

	t.Run("sees a change of its own process at once", func(t *testing.T) {
		t.Parallel()
		s := &source{}
		s.put("a", one)
		table := catalogue.New(s)
		found, err := table.Type(t.Context(), "org", "a")
		require.NoError(t, err)
		require.Equal(t, []string{"1"}, found.Versions())
		s.put("a", two)
		s.notify("org", "a")
		found, err = table.Type(t.Context(), "org", "a")
		require.NoError(t, err)
		require.Equal(t, []string{"1", "2"}, found.Versions())
	})

	t.Run("sees a change of another process within ten seconds", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &source{}
			s.put("a", one)
			table := catalogue.New(s)
			_, err := table.Type(t.Context(), "org", "a")
			require.NoError(t, err)
			s.put("a", two)
			<-time.After(9 * time.Second)
			found, err := table.Type(t.Context(), "org", "a")
			require.NoError(t, err)
			require.Equal(t, "1", found.Newest())
			<-time.After(time.Second)
			found, err = table.Type(t.Context(), "org", "a")
			require.NoError(t, err)
			require.Equal(t, "2", found.Newest())
		})
	})

	t.Run("keeps no error", func(t *testing.T) {
		t.Parallel()
		s := &source{err: errors.New("disk I/O error")}
		table := catalogue.New(s)
		_, err := table.Type(t.Context(), "org", "a")
		require.ErrorContains(t, err, "reading event type a: disk I/O error")
		s.err = nil
		_, err = table.Type(t.Context(), "org", "a")
		require.NoError(t, err)
	})

	t.Run("forgets event types before it takes too much room", func(t *testing.T) {
		t.Parallel()
		s := &source{}
		big := map[string]json.RawMessage{"1": append([]byte(`{"title":"`), append(make([]byte, 20<<20), `"}`...)...)}
		for _, name := range []string{"a", "b", "c", "d"} {
			s.put(name, big)
		}
		table := catalogue.New(s)
		for range 2 {
			for _, name := range []string{"a", "b", "c", "d"} {
				found, err := table.Type(t.Context(), "org", name)
				require.NoError(t, err)
				require.Equal(t, name, found.Name)
			}
		}
		require.Greater(t, s.reads.Load(), int32(4))
	})
}

func TestTypeFor(t *testing.T) {
	t.Parallel()
	s := &source{}
	s.put("invoice.paid", nil)
	table := catalogue.New(s)
	for range 3 {
		found, err := table.TypeFor(t.Context(), "app", "invoice.paid")
		require.NoError(t, err)
		require.Equal(t, "invoice.paid", found.Name)
	}
	require.EqualValues(t, 2, s.reads.Load(), "the owner and the type, once each")

	found, err := table.TypeFor(t.Context(), "app", "unheard.of")
	require.NoError(t, err)
	require.Nil(t, found)
	found, err = table.TypeFor(t.Context(), "nobody", "invoice.paid")
	require.NoError(t, err)
	require.Nil(t, found)

	s.mu.Lock()
	s.err = errors.New("disk I/O error")
	s.mu.Unlock()
	s.notify("org", "invoice.paid")
	_, err = table.TypeFor(t.Context(), "app", "invoice.paid")
	require.ErrorContains(t, err, "disk I/O error")
}
