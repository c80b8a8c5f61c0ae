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
	return showSecret(found.ID, found.Secrets)
}

// showSecret shows what verifies the signatures of an endpoint or a poller: of its secrets, the current one.
func showSecret(ownerID string, secrets []posthorn.Secret) (*answer[endpointSecretOut], error) {
	if len(secrets) == 0 {
		return nil, errors.New(ownerID + " has no secret")
	}
	return &answer[endpointSecretOut]{Body: endpointSecretOut{Key: secrets[0].Key.Public()}}, nil
}

type endpointSecretRotateIn struct {
	Key                string        `json:"key,omitempty" writeOnly:"true" doc:"The new signing secret. Default: a fresh one of the server's default kind."`
	GracePeriodSeconds Optional[int] `json:"gracePeriodSeconds,omitzero" minimum:"0" maximum:"604800" doc:"How long the replaced secret signs on. Default: 86400, a day."`
}

type rotateSecretIn struct {
	EndpointPath
	UserAgent string `header:"User-Agent" hidden:"true"`
	Body      *endpointSecretRotateIn
}

// rotateSecret answers 204, and clients that want to read the new secret from the answer 200.
func (s *Server) rotateSecret(ctx context.Context, in *rotateSecretIn) (*answerWith[endpointSecretOut], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	next, grace, err := s.rotation(in.Body)
	if err != nil {
		return nil, err
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

// rotation returns the secret to come and for how long the replaced one signs on. No body at all has the defaults of both.
func (s *Server) rotation(in *endpointSecretRotateIn) (next signing.Key, grace time.Duration, err error) {
	if in == nil {
		in = &endpointSecretRotateIn{}
	}
	grace = posthorn.DefaultSecretGrace
	if given := in.GracePeriodSeconds; given.Set && !given.Null {
		grace = time.Duration(given.Value) * time.Second
	}
	next, err = s.parseSecret("body.key", in.Key)
	return next, grace, err
}

// parseSecret reads a signing secret of the caller's choice, and makes a fresh one for none. What is wrong with a secret
// is said without repeating it.
func (s *Server) parseSecret(field, secret string) (signing.Key, error) {
	if secret == "" {
		return s.newKey(), nil
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

// newKey makes a key of the default kind.
func (s *Server) newKey() signing.Key {
	if s.signature == Ed25519 {
		return signing.NewAsymmetricKey()
	}
	return signing.NewSymmetricKey()
}
