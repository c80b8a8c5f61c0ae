package app

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/seal"
	"github.com/posthorn/posthorn/internal/store"
)

// cannotOpen says what is wrong with the database, in terms of the flags.
func (a *App) cannotOpen(err error) error {
	switch {
	case errors.Is(err, store.ErrSealed):
		return fmt.Errorf("--main-secret is missing: %w", store.ErrSealed)
	case errors.Is(err, store.ErrOtherSecret):
		return fmt.Errorf("%s is wrong: %w", mainSecretFlag(a.cfg), store.ErrOtherSecret)
	default:
		return fmt.Errorf("opening the database: %w", err)
	}
}

// mainBox returns the box of the main secret, nil if there is none.
func mainBox(cfg config.Config) (*seal.Box, error) {
	secret := []byte(cfg.MainSecret)
	if cfg.MainSecretFile != "" {
		content, err := os.ReadFile(cfg.MainSecretFile)
		if err != nil {
			return nil, fmt.Errorf("--main-secret-file %s: %w", cfg.MainSecretFile, withoutPath(err))
		}
		secret = bytes.TrimSpace(content)
		if len(secret) < config.MinMainSecret {
			return nil, fmt.Errorf("--main-secret-file %s must hold at least %d bytes, not %d", cfg.MainSecretFile, config.MinMainSecret, len(secret))
		}
	}
	if len(secret) == 0 {
		return nil, nil
	}
	box, err := seal.New(secret, "store")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", mainSecretFlag(cfg), err)
	}
	return box, nil
}

// mainSecretFlag is the flag that the main secret comes from.
func mainSecretFlag(cfg config.Config) string {
	if cfg.MainSecretFile != "" {
		return "--main-secret-file"
	}
	return "--main-secret"
}
