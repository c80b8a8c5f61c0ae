package app

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/posthorn/posthorn/api"
	"github.com/posthorn/posthorn/internal/config"
)

// Tokens returns the signer of bearer tokens for a data folder. It makes the folder and the secret where they are
// missing, so tokens can be had before the first start.
func Tokens(dataDir string, jwt config.JWT) (*api.Tokens, error) {
	if jwt.KeyFile == "" {
		if err := makeDataDir(dataDir); err != nil {
			return nil, err
		}
	}
	return readTokens(dataDir, jwt)
}

// readTokens reads the keys from where the settings say. Errors name the flag, and nothing of what a file holds.
func readTokens(dataDir string, jwt config.JWT) (*api.Tokens, error) {
	if jwt.KeyFile != "" {
		material, err := os.ReadFile(jwt.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("--jwt-key-file %s: %w", jwt.KeyFile, withoutPath(err))
		}
		tokens, err := api.ParseTokens(jwt.Algorithm, material)
		if err != nil {
			return nil, fmt.Errorf("--jwt-key-file %s: %w", jwt.KeyFile, err)
		}
		return tokens, nil
	}
	if !strings.HasPrefix(jwt.Algorithm, "HS") {
		return nil, fmt.Errorf("--jwt-key-file must name a file with a private or a public key for --jwt-algorithm %s", jwt.Algorithm)
	}
	secret, err := signingSecret(dataDir)
	if err != nil {
		return nil, err
	}
	tokens, err := api.ParseTokens(jwt.Algorithm, secret)
	if err != nil {
		return nil, fmt.Errorf("the file jwt-secret in --data-dir %s: %w", dataDir, err)
	}
	return tokens, nil
}

// signingSecret reads the secret that signs tokens, and makes it on the first call. When two processes do that at
// once, both get the one that was there first.
func signingSecret(dataDir string) ([]byte, error) {
	path := filepath.Join(dataDir, "jwt-secret")
	secret, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = createSecret(path); err == nil {
			secret, err = os.ReadFile(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the token secret: %w", err)
	}
	return bytes.TrimSpace(secret), nil
}

// createSecret writes the whole file under another name first: nobody ever reads half a secret.
func createSecret(path string) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".jwt-secret-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	random := make([]byte, 32)
	rand.Read(random)
	_, err = temp.WriteString(hex.EncodeToString(random) + "\n")
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err = os.Link(temp.Name(), path); errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
