package api

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// portalTokenLife is how long the token of a link is good for unless asked otherwise.
const portalTokenLife = 7 * 24 * time.Hour

// appPortalAccessIn says what the token is to be good for. All of it is optional.
type appPortalAccessIn struct {
	Application  *applicationIn         `json:"application,omitempty" doc:"Creates the application if the path names an unknown uid, which must be the uid in here."`
	FeatureFlags []string               `json:"featureFlags,omitempty" maxItems:"100" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"The token sees event types with these flags, besides those without."`
	Capabilities Optional[[]Capability] `json:"capabilities,omitzero" enum:"ViewBase,ViewEndpointSecret,ManageEndpointSecret,ManageTransformations,CreateAttempts,ManageEndpoint" doc:"Narrows the token to these. Default: everything that a token of an application may do."`
	Expiry       Optional[int]          `json:"expiry,omitzero" minimum:"1" maximum:"2419200" doc:"Seconds that the token is good for, 28 days at most. Default: 604800, a week."`
	ReadOnly     Optional[bool]         `json:"readOnly,omitzero" doc:"The token reads only, and no signing secrets."`
	SessionID    Optional[string]       `json:"sessionId,omitzero" minLength:"1" maxLength:"64" pattern:"^[a-zA-Z0-9@_\\-]+$" doc:"A name, such as that of a user, under which the token can be revoked together with others."`
}

func (in *appPortalAccessIn) grant(org, appID string) Grant {
	g := Grant{Org: org, App: appID, FeatureFlags: unique(in.FeatureFlags), ReadOnly: in.ReadOnly.Value, Session: in.SessionID.Value, Life: portalTokenLife}
	if in.Expiry.Value != 0 {
		g.Life = time.Duration(in.Expiry.Value) * time.Second
	}
	if in.Capabilities.Set && !in.Capabilities.Null {
		g.Capabilities = append([]Capability{}, in.Capabilities.Value...)
	}
	return g
}

type appPortalAccessOut struct {
	URL   string `json:"url" format:"uri" doc:"A page that shows the application's endpoints and deliveries, for a browser. The token is in its fragment, which browsers don't send."`
	Token string `json:"token" doc:"For calling the API as the application."`
}

type appPortalAccessRequest struct {
	AppPath
	Body appPortalAccessIn
}

func (s *Server) appPortalAccess(ctx context.Context, in *appPortalAccessRequest) (*answer[appPortalAccessOut], error) {
	owner, err := s.addressee(ctx, in.AppID, in.Body.Application)
	if err != nil {
		return nil, err
	}
	return s.access(in.Body.grant(owner.OrgID, owner.ID))
}

func (s *Server) dashboardAccess(ctx context.Context, in *AppPath) (*answer[appPortalAccessOut], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	return s.access(Grant{Org: owner.OrgID, App: owner.ID, Life: portalTokenLife})
}

func (s *Server) access(g Grant) (*answer[appPortalAccessOut], error) {
	if !s.tokens.CanSign() {
		return nil, fail(http.StatusBadRequest, "cannot_sign", "This server knows only the public key of tokens; make them where the private one is")
	}
	token, err := s.tokens.Issue(g)
	if err != nil {
		return nil, err
	}
	return &answer[appPortalAccessOut]{Body: appPortalAccessOut{
		URL: s.publicURL + portalPath + "#key=" + url.QueryEscape(token), Token: token,
	}}, nil
}
