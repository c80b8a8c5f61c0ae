package api

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/posthorn/posthorn"
)

// logout ends the token of the request, also if it is limited to reading.
func (s *Server) logout(ctx context.Context, _ *struct{}) (*nothing, error) {
	return nil, s.revoke(ctx, callerOf(ctx).revocation(s.now()))
}

// revoke ends tokens and says so in the log: their ids are no secret.
func (s *Server) revoke(ctx context.Context, all ...posthorn.Revocation) error {
	if err := s.revocations.revoke(ctx, all...); err != nil {
		return err
	}
	s.log.LogAttrs(ctx, slog.LevelInfo, "tokens revoked", requestID(ctx),
		slog.String("organisation", all[0].OrgID), slog.String("subject", all[0].Subject), slog.Int("subjects", len(all)), slog.Time("at", all[0].At))
	return nil
}

type applicationTokenExpireIn struct {
	Expiry     Optional[int] `json:"expiry,omitzero" minimum:"0" maximum:"259200" doc:"Seconds until the tokens end, three days at most. Default: 0, at once."`
	SessionIDs []string      `json:"sessionIds,omitempty" maxItems:"1000" minLength:"1" maxLength:"64" pattern:"^[a-zA-Z0-9@_\\-]+$" doc:"Only tokens that were made for one of these sessions."`
}

type expireAllIn struct {
	AppPath
	Body applicationTokenExpireIn
}

// expireAll revokes the tokens that an application has. Those made from now on are good.
func (s *Server) expireAll(ctx context.Context, in *expireAllIn) (*nothing, error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	now := s.now()
	r := posthorn.Revocation{
		OrgID: owner.OrgID, Subject: posthorn.ApplicationSubject(owner.ID), MadeBefore: posthorn.TokenID.New(),
		At: now.Add(time.Duration(in.Body.Expiry.Value) * time.Second), Until: now.Add(MaxTokenLife),
	}
	all := []posthorn.Revocation{r}
	if len(in.Body.SessionIDs) > 0 {
		all = all[:0]
		for _, session := range unique(in.Body.SessionIDs) {
			r.Subject = posthorn.SessionSubject(owner.ID, session)
			all = append(all, r)
		}
	}
	return nil, s.revoke(ctx, all...)
}

type revokeTokenIn struct {
	Body struct {
		Token   string `json:"token,omitempty" maxLength:"16384" doc:"The token to revoke."`
		TokenID string `json:"tokenId,omitempty" maxLength:"128" pattern:"^[!-~]+$" doc:"Or its id: the claim jti, which whoami shows as tokenId. It need not be known here."`
	}
}

// revokeToken ends one token of the caller's organisation. One that has expired by itself needs no revocation.
func (s *Server) revokeToken(ctx context.Context, in *revokeTokenIn) (*nothing, error) {
	org, now := callerOf(ctx).org, s.now()
	switch {
	case (in.Body.Token == "") == (in.Body.TokenID == ""):
		return nil, invalidField("body", "must have either token or tokenId")
	case in.Body.TokenID != "":
		return nil, s.revoke(ctx, posthorn.Revocation{OrgID: org, Subject: posthorn.TokenSubject(in.Body.TokenID), At: now})
	}
	who, err := s.tokens.read(in.Body.Token)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, nil
	case err != nil || who.org != org:
		return nil, invalidField("body.token", "must be a token of this organisation")
	}
	return nil, s.revoke(ctx, who.revocation(now))
}
