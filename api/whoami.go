package api

import (
	"context"
	"time"
)

// whoamiOut is what Svix says of a token, and what we add.
type whoamiOut struct {
	EnvID            string       `json:"envId" doc:"The organisation."`
	AppID            *string      `json:"appId,omitempty" doc:"The one application that the token is limited to."`
	PermissionSource string       `json:"permissionSource" enum:"SvixJwt" doc:"What the request was authenticated by: always a JSON Web Token, under the name that clients know."`
	SessionID        *string      `json:"sessionId,omitempty" doc:"The session that the token was made for."`
	TokenID          string       `json:"tokenId" doc:"Revokes the token; not in Svix."`
	ExpiresAt        time.Time    `json:"expiresAt" doc:"Not in Svix."`
	ReadOnly         bool         `json:"readOnly" doc:"Not in Svix."`
	Capabilities     []Capability `json:"capabilities,omitzero" nullable:"false" doc:"What the token is narrowed to; missing if it is not. Not in Svix."`
	FeatureFlags     []string     `json:"featureFlags,omitempty" nullable:"false" doc:"Not in Svix."`
}

func (s *Server) whoami(ctx context.Context, _ *struct{}) (*answer[whoamiOut], error) {
	who := callerOf(ctx)
	return &answer[whoamiOut]{Body: whoamiOut{
		EnvID: who.org, AppID: optional(who.app), PermissionSource: "SvixJwt", SessionID: optional(who.session),
		TokenID: who.token, ExpiresAt: timestamp(who.expires), ReadOnly: who.readOnly, Capabilities: who.capabilities, FeatureFlags: who.flags,
	}}, nil
}
