//go:build noembedded

package app

import (
	"context"
	"errors"

	"github.com/posthorn/posthorn/internal/seal"
)

// errNoEmbedded is for whoever wants a Temporal server from a program that is built without it.
var errNoEmbedded = errors.New("this build has no Temporal server in it: use \"posthorn serve\" with a Temporal cluster, or a build without -tags noembedded")

func (a *App) embedded(context.Context, *seal.Box) (backend, error) { return backend{}, errNoEmbedded }

func (a *App) claimDataDir() error { return errNoEmbedded }
