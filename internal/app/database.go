package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/seal"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlite"
)

// openStore opens the database, which this process has to itself.
func (a *App) openStore(ctx context.Context, box *seal.Box) (*sqlite.Store, error) {
	db, err := sqlite.Open(ctx, sqlite.Options{
		Path:       filepath.Join(a.cfg.DataDir, "posthorn.db"),
		Durability: sqlite.Durability(a.cfg.Durability),
		Box:        box,
		Logger:     a.log,
	})
	switch {
	case errors.Is(err, store.ErrSealed):
		return nil, fmt.Errorf("--main-secret is missing: %w", store.ErrSealed)
	case errors.Is(err, store.ErrOtherSecret):
		return nil, fmt.Errorf("%s is wrong: %w", mainSecretFlag(a.cfg), store.ErrOtherSecret)
	case err != nil:
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	a.onClose(db.Close)
	// Nobody is at a request that an earlier process was executing: its repetition need not wait.
	if err := db.DropOpenClaims(ctx); err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	return db, nil
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
