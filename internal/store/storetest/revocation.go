package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func revocationTests() []test {
	token := func(minute int) string { return idAt(posthorn.TokenID, minute) }
	app := posthorn.ApplicationSubject("app_1")
	revoke := func(t *testing.T, s store.Store, now time.Time, rs ...posthorn.Revocation) {
		t.Helper()
		for i := range rs {
			rs[i].OrgID = posthorn.DefaultOrg
		}
		require.NoError(t, s.Revoke(t.Context(), rs, now))
	}
	of := func(t *testing.T, s store.Store, subjects ...string) []posthorn.Revocation {
		t.Helper()
		found, err := s.RevocationsOf(t.Context(), posthorn.DefaultOrg, subjects)
		require.NoError(t, err)
		return found
	}
	return []test{
		{"revocations are found by organisation and subject, as they were stored", func(t *testing.T, s store.Store) {
			one := posthorn.Revocation{Subject: posthorn.TokenSubject("tok_1"), At: noon(), Until: noon().Add(time.Hour)}
			forever := posthorn.Revocation{Subject: posthorn.TokenSubject("tok_2"), At: noon()}
			all := posthorn.Revocation{Subject: app, MadeBefore: token(1), At: at(1), Until: at(100)}
			session := posthorn.Revocation{Subject: posthorn.SessionSubject("app_1", "user_1"), MadeBefore: token(1), At: at(1), Until: at(100)}
			revoke(t, s, noon(), one, forever, all, session)
			for _, r := range []*posthorn.Revocation{&one, &forever, &all, &session} {
				r.OrgID = posthorn.DefaultOrg
				require.Equal(t, []posthorn.Revocation{*r}, of(t, s, r.Subject))
			}
			require.Equal(t, []posthorn.Revocation{all, one}, of(t, s, app, one.Subject, posthorn.TokenSubject("tok_3")))
			require.Empty(t, of(t, s, posthorn.TokenSubject("tok_3")))
			require.Empty(t, of(t, s))
			other, err := s.RevocationsOf(t.Context(), "org_other", []string{one.Subject, app})
			require.NoError(t, err)
			require.Empty(t, other)
		}},
		{"to revoke a token twice changes nothing", func(t *testing.T, s store.Store) {
			first := posthorn.Revocation{OrgID: posthorn.DefaultOrg, Subject: posthorn.TokenSubject("tok_1"), At: noon(), Until: at(60)}
			again := first
			again.At, again.Until = at(1), time.Time{}
			revoke(t, s, noon(), first)
			revoke(t, s, at(1), again)
			require.Equal(t, []posthorn.Revocation{first}, of(t, s, first.Subject))
		}},
		{"what is over is removed by the next revocation, what has no end stays", func(t *testing.T, s store.Store) {
			over := posthorn.Revocation{Subject: posthorn.TokenSubject("tok_1"), At: noon(), Until: at(10)}
			endless := posthorn.Revocation{Subject: posthorn.TokenSubject("tok_2"), At: noon()}
			revoke(t, s, noon(), over, endless)
			revoke(t, s, at(9), posthorn.Revocation{Subject: app, MadeBefore: token(9), At: at(9), Until: at(100)})
			require.Len(t, of(t, s, over.Subject, endless.Subject), 2)
			revoke(t, s, at(10), posthorn.Revocation{Subject: app, MadeBefore: token(10), At: at(10), Until: at(100)})
			require.Empty(t, of(t, s, over.Subject))
			require.Len(t, of(t, s, endless.Subject), 1)
		}},
		{"a later revocation of an application replaces the earlier ones once it holds", func(t *testing.T, s store.Store) {
			cutoffs := func() (found []string) {
				for _, r := range of(t, s, app) {
					found = append(found, r.MadeBefore)
				}
				return found
			}
			revoke(t, s, at(1), posthorn.Revocation{Subject: app, MadeBefore: token(1), At: at(1)})
			revoke(t, s, at(2), posthorn.Revocation{Subject: app, MadeBefore: token(2), At: at(60)})
			require.Equal(t, []string{token(1), token(2)}, cutoffs(), "the second doesn't hold yet")
			revoke(t, s, at(3), posthorn.Revocation{Subject: app, MadeBefore: token(3), At: at(50)})
			require.Equal(t, []string{token(1), token(3)}, cutoffs(), "the third ends more than the second, and sooner")
			revoke(t, s, at(55), posthorn.Revocation{Subject: app, MadeBefore: token(55), At: at(90)})
			require.Equal(t, []string{token(3), token(55)}, cutoffs(), "the third holds by now")
			revoke(t, s, at(56), posthorn.Revocation{Subject: app, MadeBefore: token(56), At: at(56)})
			require.Equal(t, []string{token(56)}, cutoffs())
		}},
		{"revocations of many subjects become durable together", func(t *testing.T, s store.Store) {
			var rs []posthorn.Revocation
			var subjects []string
			for i := range 1000 {
				subjects = append(subjects, posthorn.SessionSubject("app_1", numbered("user_", i)))
				rs = append(rs, posthorn.Revocation{Subject: subjects[i], MadeBefore: token(1), At: at(1)})
			}
			revoke(t, s, at(1), rs...)
			require.Len(t, of(t, s, subjects...), 1000)
		}},
	}
}
