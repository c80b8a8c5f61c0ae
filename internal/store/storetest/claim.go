package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func claim(id string) store.Claim {
	return store.Claim{ID: []byte(id), Fingerprint: []byte{0, 1, 0xff}, Owner: "me", CreatedAt: noon(), ExpiresAt: noon().Add(time.Minute)}
}

func settling(id string) store.Claim {
	c := claim(id)
	c.Owner = ""
	return c
}

func claimTests() []test {
	return []test{
		{"a claim is found until it expires", func(t *testing.T, s store.Store) {
			c := claim("a")
			require.NoError(t, s.CreateClaim(t.Context(), c))
			got, err := s.Claim(t.Context(), c.ID, noon())
			require.NoError(t, err)
			require.Equal(t, c, got)
			require.False(t, got.Settled())
			require.False(t, got.Answered())
			for _, moment := range []time.Time{c.ExpiresAt, c.ExpiresAt.Add(time.Hour)} {
				_, err = s.Claim(t.Context(), c.ID, moment)
				requireCode(t, posthorn.NotFound, err)
			}
			_, err = s.Claim(t.Context(), []byte("b"), noon())
			requireCode(t, posthorn.NotFound, err)
		}},
		{"of those who claim the same at once one succeeds", func(t *testing.T, s store.Store) {
			owners := 0
			for _, err := range together(50, func(i int) error {
				c := claim("a")
				c.Owner = numbered("o", i)
				return s.CreateClaim(t.Context(), c)
			}) {
				if err == nil {
					owners++
				} else {
					requireCode(t, posthorn.Conflict, err)
				}
			}
			require.Equal(t, 1, owners)
		}},
		{"an expired claim is taken over, and its owner has no say any more", func(t *testing.T, s store.Store) {
			dead, next := claim("a"), claim("a")
			require.NoError(t, s.CreateClaim(t.Context(), dead))
			next.Owner, next.CreatedAt = "next", dead.ExpiresAt.Add(-time.Microsecond)
			requireCode(t, posthorn.Conflict, s.CreateClaim(t.Context(), next))
			next.CreatedAt, next.ExpiresAt = dead.ExpiresAt, dead.ExpiresAt.Add(time.Minute)
			require.NoError(t, s.CreateClaim(t.Context(), next))
			dead.Answer = []byte("late")
			requireCode(t, posthorn.NotFound, s.AnswerClaim(t.Context(), dead))
			require.NoError(t, s.DropClaim(t.Context(), dead))
			got, err := s.Claim(t.Context(), next.ID, next.CreatedAt)
			require.NoError(t, err)
			require.Equal(t, next, got)
		}},
		{"an answered claim keeps its answer for as long as it says", func(t *testing.T, s store.Store) {
			c := claim("a")
			require.NoError(t, s.CreateClaim(t.Context(), c))
			c.Answer, c.ExpiresAt = []byte{0, 0xff, 'x'}, noon().Add(24*time.Hour)
			require.NoError(t, s.AnswerClaim(t.Context(), c))
			got, err := s.Claim(t.Context(), c.ID, noon().Add(23*time.Hour))
			require.NoError(t, err)
			require.True(t, got.Answered())
			c.Owner = ""
			require.Equal(t, c, got)
			c.Owner = "me"
			requireCode(t, posthorn.NotFound, s.AnswerClaim(t.Context(), c))
			require.NoError(t, s.DropClaim(t.Context(), c))
			_, err = s.Claim(t.Context(), c.ID, noon())
			require.NoError(t, err, "what is answered can't be dropped")
		}},
		{"a dropped claim can be made again", func(t *testing.T, s store.Store) {
			c := claim("a")
			require.NoError(t, s.CreateClaim(t.Context(), c))
			require.NoError(t, s.DropClaim(t.Context(), c))
			_, err := s.Claim(t.Context(), c.ID, noon())
			requireCode(t, posthorn.NotFound, err)
			require.NoError(t, s.CreateClaim(t.Context(), c))
		}},
		{"expired claims are deleted step by step, and no others", func(t *testing.T, s store.Store) {
			for i := range 5 {
				c := claim(numbered("c", i))
				c.ExpiresAt = at(i)
				require.NoError(t, s.CreateClaim(t.Context(), c))
			}
			for _, want := range []int{2, 1, 0} {
				n, err := s.DeleteExpiredClaims(t.Context(), at(2), 2)
				require.NoError(t, err)
				require.Equal(t, want, n)
			}
			for i := range 5 {
				_, err := s.Claim(t.Context(), []byte(numbered("c", i)), at(-1))
				require.Equal(t, i > 2, err == nil, i)
			}
		}},
		{"messages and the claim that names them are one commit", messagesWithClaim},
		{"a claim that is there keeps all messages out", func(t *testing.T, s store.Store) {
			require.NoError(t, s.CreateClaim(t.Context(), claim("a")))
			c := settling("a")
			m := message("app_1", "evt")
			_, err := s.CreateMessages(t.Context(), []posthorn.Message{m, message("app_1", "")}, &c)
			requireCode(t, posthorn.Conflict, err)
			got, err := s.ListMessages(t.Context(), "app_1", store.MessageFilter{}, everything())
			require.NoError(t, err)
			require.Empty(t, got.Items)
			left, err := s.Undispatched(t.Context(), "", time.Now().Add(time.Hour), 10)
			require.NoError(t, err)
			require.Empty(t, left)
			createMessage(t, s, m)
		}},
		{"of those who create messages under one claim at once one succeeds", func(t *testing.T, s store.Store) {
			made := 0
			for _, err := range together(50, func(int) error {
				c := settling("a")
				_, err := s.CreateMessages(t.Context(), []posthorn.Message{message("app_1", "")}, &c)
				return err
			}) {
				if err == nil {
					made++
				} else {
					requireCode(t, posthorn.Conflict, err)
				}
			}
			require.Equal(t, 1, made)
			got, err := s.ListMessages(t.Context(), "app_1", store.MessageFilter{}, everything())
			require.NoError(t, err)
			require.Len(t, got.Items, 1)
		}},
		{"messages that are refused leave the others alone", refusedMessages},
	}
}

func messagesWithClaim(t *testing.T, s store.Store) {
	c := settling("a")
	first, second := message("app_1", "1"), message("app_1", "")
	refused, err := s.CreateMessages(t.Context(), []posthorn.Message{first, {}, second}, &c)
	require.NoError(t, err)
	require.Equal(t, []error{nil, nil, nil}, refused)
	got, err := s.Claim(t.Context(), c.ID, noon())
	require.NoError(t, err)
	require.True(t, got.Settled())
	require.Equal(t, []string{first.ID, "", second.ID}, got.Messages)
	for _, want := range []posthorn.Message{first, second} {
		stored, err := s.MessageByID(t.Context(), want.ID)
		require.NoError(t, err)
		require.Equal(t, want, stored)
	}
	left, err := s.Undispatched(t.Context(), "", time.Now().Add(time.Hour), 10)
	require.NoError(t, err)
	require.Equal(t, []string{first.ID, second.ID}, keysOf(left, messageID))
	_, err = s.CreateMessages(t.Context(), []posthorn.Message{message("app_1", "")}, &c)
	requireCode(t, posthorn.Conflict, err)

	c.CreatedAt, c.ExpiresAt = c.ExpiresAt, c.ExpiresAt.Add(time.Hour)
	third := message("app_1", "")
	_, err = s.CreateMessages(t.Context(), []posthorn.Message{third}, &c)
	require.NoError(t, err, "an expired claim is replaced")
	got, err = s.Claim(t.Context(), c.ID, c.CreatedAt)
	require.NoError(t, err)
	require.Equal(t, []string{third.ID}, got.Messages)
}

func refusedMessages(t *testing.T, s store.Store) {
	createMessage(t, s, message("app_1", "taken"))
	ms := []posthorn.Message{
		message("app_1", "free"), message("app_1", "taken"), message("app_1", ""), message("app_1", "free"), message("app_2", "taken"),
	}
	refused, err := s.CreateMessages(t.Context(), ms, nil)
	require.NoError(t, err)
	for i, want := range []posthorn.Code{"", posthorn.Conflict, "", posthorn.Conflict, ""} {
		require.Equal(t, want, posthorn.CodeOf(refused[i]), i)
		_, err := s.MessageByID(t.Context(), ms[i].ID)
		require.Equal(t, want == "", err == nil, i)
	}
	c := settling("a")
	again := []posthorn.Message{message("app_1", "taken"), {}}
	refused, err = s.CreateMessages(t.Context(), again, &c)
	require.NoError(t, err)
	requireCode(t, posthorn.Conflict, refused[0])
	_, err = s.Claim(t.Context(), c.ID, noon())
	requireCode(t, posthorn.NotFound, err)
}
