package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/signing"
)

type endpointSecretOut struct {
	Key string `json:"key" doc:"What a receiver verifies signatures with: whsec_ and the shared secret, or whpk_ and a public key."`
}

func (s *Server) getSecret(ctx context.Context, in *EndpointPath) (*answer[endpointSecretOut], error) {
	found, err := s.endpoint(ctx, *in)
	if err != nil {
		return nil, err
	}
	if len(found.Secrets) == 0 {
		return nil, errors.New("endpoint " + found.ID + " has no secret")
	}
	return &answer[endpointSecretOut]{Body: endpointSecretOut{Key: found.Secrets[0].Key.Public()}}, nil
}

type endpointSecretRotateIn struct {
	Key                string        `json:"key,omitempty" writeOnly:"true" doc:"The new signing secret. Default: a fresh whsec_ one."`
	GracePeriodSeconds Optional[int] `json:"gracePeriodSeconds,omitzero" minimum:"0" maximum:"604800" doc:"How long the replaced secret signs on. Default: 86400, a day."`
}

type rotateSecretIn struct {
	EndpointPath
	UserAgent string `header:"User-Agent" hidden:"true"`
	Body      *endpointSecretRotateIn
}

// rotateSecret answers 204, and clients that want to read the new secret from the answer 200.
func (s *Server) rotateSecret(ctx context.Context, in *rotateSecretIn) (*answerWith[endpointSecretOut], error) {
	var body endpointSecretRotateIn
	if in.Body != nil {
		body = *in.Body
	}
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	next, err := parseSecret("body.key", body.Key)
	if err != nil {
		return nil, err
	}
	grace := posthorn.DefaultSecretGrace
	if given := body.GracePeriodSeconds; given.Set && !given.Null {
		grace = time.Duration(given.Value) * time.Second
	}
	_, err = s.store.UpdateEndpoint(ctx, owner.ID, in.EndpointID, func(e *posthorn.Endpoint) error {
		now := s.clock()
		e.UpdatedAt = now
		return e.RotateSecret(next, grace, now)
	})
	if err != nil {
		return nil, err
	}
	if readsRotation(in.UserAgent) {
		return &answerWith[endpointSecretOut]{Status: http.StatusOK, Body: endpointSecretOut{Key: next.Public()}}, nil
	}
	return &answerWith[endpointSecretOut]{Status: http.StatusNoContent}, nil
}

// parseSecret reads a signing secret of the caller's choice, and makes a fresh one for none. What is wrong with a secret
// is said without repeating it.
func parseSecret(field, secret string) (signing.Key, error) {
	if secret == "" {
		return signing.NewSymmetricKey(), nil
	}
	key, err := signing.ParseKey(secret)
	switch {
	case err != nil:
		return signing.Key{}, invalidField(field, "%s", strings.TrimPrefix(err.Error(), "signing: "))
	case !key.CanSign():
		return signing.Key{}, invalidField(field, "must be a key that can sign: whsec_ or whsk_")
	default:
		return key, nil
	}
}
