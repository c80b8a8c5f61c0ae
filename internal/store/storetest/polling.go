package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/signing"
)

func poller(appID, uid string) posthorn.Poller {
	return posthorn.Poller{
		ID: posthorn.PollerID.New(), AppID: appID, UID: uid, Description: "for the archive", EventTypes: []string{"invoice.paid"},
		Channels: []string{"eu"}, Disabled: true, CreatedAt: noon(), UpdatedAt: noon().Add(time.Second),
		Secrets: []posthorn.Secret{{Key: signing.NewSymmetricKey()}, {Key: signing.NewAsymmetricKey(), ExpiresAt: noon().Add(time.Hour)}},
	}
}

func createPoller(t *testing.T, s store.Store, p posthorn.Poller) posthorn.Poller {
	t.Helper()
	made, err := s.CreatePoller(t.Context(), p)
	require.NoError(t, err)
	return made
}

// messageAt is a message made at noon plus so many minutes.
func messageAt(appID string, minute int) posthorn.Message {
	m := message(appID, "")
	m.ID, m.CreatedAt = idAt(posthorn.MessageID, minute), at(minute)
	return m
}

// stream reads on until there is nothing more.
func stream(t *testing.T, s store.Store, appID string, from store.Position, f store.StreamFilter, limit int) ([]posthorn.Message, store.Position) {
	t.Helper()
	var all []posthorn.Message
	for {
		part, err := s.Stream(t.Context(), appID, from, f, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(part.Messages), limit)
		all = append(all, part.Messages...)
		from = part.Next
		if part.Done {
			return all, from
		}
	}
}

func idsOf(ms []posthorn.Message) []string {
	return keysOf(ms, func(m posthorn.Message) string { return m.ID })
}

func streamTests() []test {
	return []test{
		{"a stream has an application's messages as they were stored, in the order of their commits and not of their IDs", func(t *testing.T, s store.Store) {
			var want []posthorn.Message
			for _, minute := range []int{5, 3, 9, 1, 7} {
				want = append(want, createMessage(t, s, messageAt("app_1", minute)))
				createMessage(t, s, messageAt("app_2", minute+10))
			}
			for limit := 1; limit <= 6; limit++ {
				got, end := stream(t, s, "app_1", store.Position{}, store.StreamFilter{}, limit)
				require.Equal(t, want, got)
				require.Equal(t, want[4].ID, end.MessageID)
			}
			part, err := s.Stream(t.Context(), "app_1", store.Position{}, store.StreamFilter{}, 5)
			require.NoError(t, err)
			require.True(t, part.Done, "a full page can be the last")
			part, err = s.Stream(t.Context(), "app_1", store.Position{}, store.StreamFilter{}, 4)
			require.NoError(t, err)
			require.False(t, part.Done)
		}},
		{"the end of a stream is a place to read on from, however late a message with an early ID comes", func(t *testing.T, s store.Store) {
			got, end := stream(t, s, "app_1", store.Position{}, store.StreamFilter{}, 10)
			require.Empty(t, got)
			require.Zero(t, end)
			first := createMessage(t, s, messageAt("app_1", 20))
			got, end = stream(t, s, "app_1", end, store.StreamFilter{}, 10)
			require.Equal(t, []string{first.ID}, idsOf(got))
			got, end = stream(t, s, "app_1", end, store.StreamFilter{}, 10)
			require.Empty(t, got)
			late := createMessage(t, s, messageAt("app_1", 2))
			got, _ = stream(t, s, "app_1", end, store.StreamFilter{}, 10)
			require.Equal(t, []string{late.ID}, idsOf(got))
		}},
		{"a message for a single endpoint is none of a stream, whatever the filter, and reading goes on behind it", func(t *testing.T, s store.Store) {
			first := createMessage(t, s, message("app_1", ""))
			single := message("app_1", "")
			single.OnlyEndpoint = "ep_1"
			for range 3 {
				single.ID = posthorn.MessageID.New()
				createMessage(t, s, single)
			}
			last := createMessage(t, s, message("app_1", ""))
			single.ID = posthorn.MessageID.New()
			createMessage(t, s, single)
			for limit := 1; limit <= 3; limit++ {
				for _, f := range []store.StreamFilter{{}, {EventTypes: [][]string{{single.EventType}}}} {
					got, end := stream(t, s, "app_1", store.Position{}, f, limit)
					require.Equal(t, []string{first.ID, last.ID}, idsOf(got))
					require.Equal(t, single.ID, end.MessageID)
					got, _ = stream(t, s, "app_1", store.Position{MessageID: single.ID}, f, limit)
					require.Empty(t, got)
				}
			}
		}},
		{"a filter shows what it wants and passes over the rest", func(t *testing.T, s store.Store) {
			make := func(eventType string, channels ...string) string {
				m := message("app_1", "")
				m.EventType, m.Channels = eventType, channels
				return createMessage(t, s, m).ID
			}
			a, b, c, d := make("a", "eu", "vip"), make("b", "us"), make("a"), make("c", "vip")
			for _, tc := range []struct {
				f    store.StreamFilter
				want []string
			}{
				{store.StreamFilter{EventTypes: [][]string{{"a"}}}, []string{a, c}},
				{store.StreamFilter{EventTypes: [][]string{{"a", "c"}}}, []string{a, c, d}},
				{store.StreamFilter{Channels: [][]string{{"eu", "us"}}}, []string{a, b}},
				{store.StreamFilter{Channels: [][]string{{"eu", "us"}, {"vip"}}}, []string{a}},
				{store.StreamFilter{EventTypes: [][]string{{"c"}}, Channels: [][]string{{"vip"}}}, []string{d}},
				{store.StreamFilter{EventTypes: [][]string{{"none"}}}, []string{}},
				{store.StreamFilter{EventTypes: [][]string{{"a", "b"}, {"b", "c"}}}, []string{b}},
				{store.StreamFilter{EventTypes: [][]string{{"a"}, {"b"}}}, []string{}},
			} {
				for limit := 1; limit <= 3; limit++ {
					got, end := stream(t, s, "app_1", store.Position{}, tc.f, limit)
					require.Equal(t, tc.want, idsOf(got), "%+v", tc.f)
					require.Equal(t, d, end.MessageID, "what was passed over is not read again")
				}
			}
		}},
		{"a moment leaves out what was made until then, and stays with the position", func(t *testing.T, s store.Store) {
			for _, minute := range []int{1, 3, 2} {
				createMessage(t, s, messageAt("app_1", minute))
			}
			from := store.Position{After: at(2)}
			got, end := stream(t, s, "app_1", from, store.StreamFilter{}, 1)
			require.Equal(t, []string{idAt(posthorn.MessageID, 3)}, idsOf(got))
			require.Equal(t, at(2), end.After)
			createMessage(t, s, messageAt("app_1", 0))
			createMessage(t, s, messageAt("app_1", 4))
			got, _ = stream(t, s, "app_1", end, store.StreamFilter{}, 1)
			require.Equal(t, []string{idAt(posthorn.MessageID, 4)}, idsOf(got))
		}},
		{"a moment includes what was committed in another order around it", func(t *testing.T, s store.Store) {
			for minute := range 60 {
				createMessage(t, s, messageAt("app_1", minute^3)) // each four the other way round
			}
			for minute := range 60 {
				got, _ := stream(t, s, "app_1", store.Position{After: at(minute)}, store.StreamFilter{}, 7)
				ids := idsOf(got)
				slices.Sort(ids)
				want := []string{}
				for later := minute + 1; later < 60; later++ {
					want = append(want, idAt(posthorn.MessageID, later))
				}
				require.Equal(t, want, ids)
			}
		}},
		{"a position behind a message that is not the application's begins near its time", func(t *testing.T, s store.Store) {
			for minute := range 30 {
				createMessage(t, s, messageAt("app_1", minute))
			}
			foreign := messageAt("app_2", 20)
			foreign.ID = posthorn.MessageID.Floor(at(20).Add(time.Second))
			createMessage(t, s, foreign)
			for _, id := range []string{foreign.ID, posthorn.MessageID.Floor(at(20).Add(2 * time.Second))} {
				got, _ := stream(t, s, "app_1", store.Position{MessageID: id}, store.StreamFilter{}, 10)
				require.Equal(t, idAt(posthorn.MessageID, 29), got[len(got)-1].ID)
				require.Less(t, len(got), 20)
				require.Contains(t, idsOf(got), idAt(posthorn.MessageID, 21))
			}
		}},
		{"an expunged payload leaves its message in the stream", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			require.NoError(t, s.ExpungePayload(t.Context(), "app_1", m.ID))
			got, _ := stream(t, s, "app_1", store.Position{}, store.StreamFilter{}, 10)
			require.Len(t, got, 1)
			require.Nil(t, got[0].Payload)
		}},
		{"large payloads end a stretch early", func(t *testing.T, s store.Store) {
			var ids []string
			for range 4 {
				m := message("app_1", "")
				m.Payload = make([]byte, store.StreamBytes/2+1)
				ids = append(ids, createMessage(t, s, m).ID)
			}
			part, err := s.Stream(t.Context(), "app_1", store.Position{}, store.StreamFilter{}, 100)
			require.NoError(t, err)
			require.Equal(t, ids[:2], idsOf(part.Messages))
			require.False(t, part.Done)
			part, err = s.Stream(t.Context(), "app_1", part.Next, store.StreamFilter{}, 100)
			require.NoError(t, err)
			require.Equal(t, ids[2:], idsOf(part.Messages))
			require.True(t, part.Done)
		}},
		{"a filter that matches nothing ends a stretch after so many messages", func(t *testing.T, s store.Store) {
			for _, err := range together(16, func(i int) error {
				for range store.StreamReach / 16 {
					if err := s.CreateMessage(t.Context(), message("app_1", "")); err != nil {
						return err
					}
				}
				return nil
			}) {
				require.NoError(t, err)
			}
			rare := message("app_1", "")
			rare.EventType = "rare"
			createMessage(t, s, rare)
			f := store.StreamFilter{EventTypes: [][]string{{"rare"}}}
			part, err := s.Stream(t.Context(), "app_1", store.Position{}, f, 10)
			require.NoError(t, err)
			require.Empty(t, part.Messages)
			require.False(t, part.Done)
			part, err = s.Stream(t.Context(), "app_1", part.Next, f, 10)
			require.NoError(t, err)
			require.Equal(t, []string{rare.ID}, idsOf(part.Messages))
			require.True(t, part.Done)
		}},
		{"whoever reads while others write misses nothing and gets nothing twice", func(t *testing.T, s store.Store) {
			const writers, each = 16, 40
			var writing sync.WaitGroup
			var problems [writers]error
			for w := range writers {
				writing.Go(func() {
					for range each {
						m := message("app_1", "")
						m.EventType = []string{"a", "b"}[w%2]
						problems[w] = errors.Join(problems[w], s.CreateMessage(t.Context(), m))
					}
				})
			}
			written := make(chan struct{})
			go func() {
				writing.Wait()
				close(written)
			}()
			seen := map[string]int{}
			var from store.Position
			for over := false; !over; {
				select {
				case <-written:
					over = true // one more round
				default:
				}
				var got []posthorn.Message
				got, from = stream(t, s, "app_1", from, store.StreamFilter{EventTypes: [][]string{{"b"}}}, 7)
				for _, m := range got {
					require.Equal(t, "b", m.EventType)
					seen[m.ID]++
				}
			}
			require.NoError(t, errors.Join(problems[:]...))
			require.Len(t, seen, writers/2*each)
			for id, times := range seen {
				require.Equal(t, 1, times, id)
			}
		}},
	}
}

func pollerTests() []test {
	return []test{
		{"a poller is found by ID and by UID, as it was stored", func(t *testing.T, s store.Store) {
			p := createPoller(t, s, poller("app_1", "archive"))
			require.Empty(t, p.Start)
			for _, ref := range []string{p.ID, "archive"} {
				got, err := s.Poller(t.Context(), "app_1", ref)
				require.NoError(t, err)
				require.Equal(t, p, got)
				require.Equal(t, p.Secrets[0].Key.Reveal(), got.Secrets[0].Key.Reveal())
				_, err = s.Poller(t.Context(), "app_2", ref)
				requireCode(t, posthorn.NotFound, err)
			}
		}},
		{"a poller begins behind the message that was committed last", func(t *testing.T, s store.Store) {
			createMessage(t, s, messageAt("app_1", 9))
			last := createMessage(t, s, messageAt("app_1", 3))
			createMessage(t, s, messageAt("app_2", 5))
			in := poller("app_1", "")
			in.Start = "msg_x"
			require.Equal(t, last.ID, createPoller(t, s, in).Start)
		}},
		{"a UID is unique in its application and free in others", func(t *testing.T, s store.Store) {
			createPoller(t, s, poller("app_1", "archive"))
			_, err := s.CreatePoller(t.Context(), poller("app_1", "archive"))
			requireCode(t, posthorn.Conflict, err)
			createPoller(t, s, poller("app_2", "archive"))
			createPoller(t, s, poller("app_1", ""))
			createPoller(t, s, poller("app_1", ""))
		}},
		{"an update changes everything but the identity and the start", func(t *testing.T, s store.Store) {
			first := createMessage(t, s, message("app_1", ""))
			p := createPoller(t, s, poller("app_1", "archive"))
			want := p
			want.UID, want.Description, want.EventTypes, want.Channels, want.Disabled = "", "", nil, nil, false
			want.Secrets = []posthorn.Secret{{Key: signing.NewSymmetricKey()}}
			got, err := s.UpdatePoller(t.Context(), "app_1", "archive", func(p *posthorn.Poller) error {
				*p = want
				p.ID, p.AppID, p.Start, p.CreatedAt = "poll_x", "app_x", "msg_x", noon().AddDate(1, 0, 0)
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.Equal(t, first.ID, got.Start)
			got, err = s.Poller(t.Context(), "app_1", p.ID)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}},
		{"an update that refuses or conflicts changes nothing", func(t *testing.T, s store.Store) {
			p := createPoller(t, s, poller("app_1", "archive"))
			createPoller(t, s, poller("app_1", "taken"))
			refusal := errors.New("no")
			_, err := s.UpdatePoller(t.Context(), "app_1", p.ID, func(p *posthorn.Poller) error {
				p.Description = "changed"
				return refusal
			})
			require.Same(t, refusal, err)
			_, err = s.UpdatePoller(t.Context(), "app_1", p.ID, func(p *posthorn.Poller) error {
				p.UID = "taken"
				return nil
			})
			requireCode(t, posthorn.Conflict, err)
			got, err := s.Poller(t.Context(), "app_1", p.ID)
			require.NoError(t, err)
			require.Equal(t, p, got)
			_, err = s.UpdatePoller(t.Context(), "app_1", "nobody", func(*posthorn.Poller) error { return nil })
			requireCode(t, posthorn.NotFound, err)
		}},
		{"a deleted poller is gone with its consumers, and so is one whose application was deleted", func(t *testing.T, s store.Store) {
			app := application("acme")
			require.NoError(t, s.CreateApplication(t.Context(), app))
			byItself, withApp := createPoller(t, s, poller(app.ID, "archive")), createPoller(t, s, poller(app.ID, ""))
			_, err := s.Seek(t.Context(), byItself.ID, "c", store.Position{MessageID: idAt(posthorn.MessageID, 1)})
			require.NoError(t, err)
			requireCode(t, posthorn.NotFound, s.DeletePoller(t.Context(), "app_2", "archive"))
			require.NoError(t, s.DeletePoller(t.Context(), app.ID, "archive"))
			requireCode(t, posthorn.NotFound, s.DeletePoller(t.Context(), app.ID, "archive"))
			createPoller(t, s, poller(app.ID, "archive"))
			require.NoError(t, s.DeleteApplication(t.Context(), app.OrgID, app.ID, noon()))
			for _, p := range []posthorn.Poller{byItself, withApp} {
				_, err := s.Poller(t.Context(), app.ID, p.ID)
				requireCode(t, posthorn.NotFound, err)
				_, err = s.Consumer(t.Context(), p.ID, "c")
				requireCode(t, posthorn.NotFound, err)
				_, err = s.Seek(t.Context(), p.ID, "c", store.Position{})
				requireCode(t, posthorn.NotFound, err)
				_, err = s.Acknowledge(t.Context(), store.Consumer{PollerID: p.ID, Name: "c"})
				requireCode(t, posthorn.NotFound, err)
			}
		}},
		{"the list has every page there can be", func(t *testing.T, s store.Store) {
			var ids []string
			for range 5 {
				ids = append(ids, createPoller(t, s, poller("app_1", "")).ID)
			}
			createPoller(t, s, poller("app_2", ""))
			requirePages(t, ids, func(p posthorn.Poller) string { return p.ID },
				func(p store.Page) (store.List[posthorn.Poller], error) {
					return s.ListPollers(t.Context(), "app_1", p)
				})
		}},
	}
}

func consumerTests() []test {
	behind := func(m posthorn.Message) store.Position { return store.Position{MessageID: m.ID} }
	return []test{
		{"a consumer stands at the start of its poller until it moves, and each for itself", func(t *testing.T, s store.Store) {
			start := createMessage(t, s, messageAt("app_1", 1))
			next := createMessage(t, s, messageAt("app_1", 2))
			p := createPoller(t, s, poller("app_1", ""))
			require.Equal(t, next.ID, p.Start)
			got, err := s.Consumer(t.Context(), p.ID, "a")
			require.NoError(t, err)
			require.Equal(t, store.Consumer{PollerID: p.ID, Name: "a", Position: behind(next)}, got)
			want := store.Consumer{PollerID: p.ID, Name: "b", Position: store.Position{MessageID: start.ID, After: at(-3)}, Epoch: 1}
			got, err = s.Seek(t.Context(), p.ID, "b", want.Position)
			require.NoError(t, err)
			require.Equal(t, want, got)
			got, err = s.Consumer(t.Context(), p.ID, "b")
			require.NoError(t, err)
			require.Equal(t, want, got)
			got, err = s.Consumer(t.Context(), p.ID, "a")
			require.NoError(t, err)
			require.Equal(t, behind(next), got.Position)
		}},
		{"acknowledging goes forward in the order of commits, and never back", func(t *testing.T, s store.Store) {
			p := createPoller(t, s, poller("app_1", ""))
			first, second := createMessage(t, s, messageAt("app_1", 9)), createMessage(t, s, messageAt("app_1", 4))
			for _, step := range []struct{ to, want posthorn.Message }{{first, first}, {second, second}, {first, second}, {second, second}} {
				got, err := s.Acknowledge(t.Context(), store.Consumer{PollerID: p.ID, Name: "a", Position: behind(step.to)})
				require.NoError(t, err)
				require.Equal(t, step.want.ID, got.Position.MessageID)
				require.Zero(t, got.Epoch)
			}
		}},
		{"seeking goes anywhere, and what was acknowledged before is void then", func(t *testing.T, s store.Store) {
			p := createPoller(t, s, poller("app_1", ""))
			m := createMessage(t, s, messageAt("app_1", 9))
			later := createMessage(t, s, messageAt("app_1", 10))
			_, err := s.Acknowledge(t.Context(), store.Consumer{PollerID: p.ID, Name: "a", Position: behind(m)})
			require.NoError(t, err)
			sought, err := s.Seek(t.Context(), p.ID, "a", store.Position{After: at(1)})
			require.NoError(t, err)
			require.Equal(t, 1, sought.Epoch)
			got, err := s.Acknowledge(t.Context(), store.Consumer{PollerID: p.ID, Name: "a", Position: behind(later)})
			require.NoError(t, err)
			require.Equal(t, sought, got)
			got, err = s.Acknowledge(t.Context(), store.Consumer{PollerID: p.ID, Name: "a", Position: behind(later), Epoch: 1})
			require.NoError(t, err)
			require.Equal(t, later.ID, got.Position.MessageID)
		}},
		{"a poller has so many consumers at most", func(t *testing.T, s store.Store) {
			p, other := createPoller(t, s, poller("app_1", "")), createPoller(t, s, poller("app_1", ""))
			for _, err := range together(posthorn.MaxConsumers, func(i int) error {
				_, err := s.Seek(t.Context(), p.ID, numbered("c", i), store.Position{})
				return err
			}) {
				require.NoError(t, err)
			}
			_, err := s.Seek(t.Context(), p.ID, "one too many", store.Position{})
			requireCode(t, posthorn.LimitReached, err)
			m := createMessage(t, s, message("app_1", ""))
			_, err = s.Acknowledge(t.Context(), store.Consumer{PollerID: p.ID, Name: "one too many", Position: behind(m)})
			requireCode(t, posthorn.LimitReached, err)
			_, err = s.Seek(t.Context(), p.ID, "c7", store.Position{})
			require.NoError(t, err)
			_, err = s.Seek(t.Context(), other.ID, "one too many", store.Position{})
			require.NoError(t, err)
		}},
	}
}
