// Package backup copies the data folder of the embedded default into one file while a server runs on it, and makes a data
// folder of such a file.
//
// The databases are copied one after the other, so the copies are of different moments. Their order makes that harmless: the
// list of workflows, then the workflows, then Posthorn's own database. See docs/backup.md for why.
package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// format is the number of the layout of backups. A program refuses those of later ones.
const format = 1

// manifestName is the last entry of a backup, so that one without it is known to be incomplete.
const manifestName = "manifest.json"

const (
	store  = "posthorn.db"
	secret = "jwt-secret"
)

// databases are copied in this order.
func databases() []string { return []string{"visibility.db", "temporal.db", store} }

// manifest says what is in a backup.
type manifest struct {
	Format  int               `json:"format"`
	Version string            `json:"version"` // of the program that made it
	Began   time.Time         `json:"began"`
	SHA256  map[string]string `json:"sha256"` // of each file, in hexadecimal digits
}

// Result says what was copied.
type Result struct {
	Began time.Time // what was accepted before then is in the backup
	Bytes int64     // of the file
}

// Write copies the data folder into a new file. A server may run on the folder meanwhile. Beside the file there has to be
// room for the databases once more. If it fails, there is no file.
func Write(ctx context.Context, dataDir, file, version string) (result Result, err error) {
	if errNoEmbedded != nil {
		return result, errNoEmbedded
	}
	if _, err := os.Stat(filepath.Join(dataDir, store)); err != nil {
		return result, fmt.Errorf("%s is not a data folder: it has no %s", dataDir, store)
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return result, fmt.Errorf("%s is there already", file)
	}
	work, err := os.MkdirTemp(filepath.Dir(file), ".posthorn-backup-*")
	if err != nil {
		return result, fmt.Errorf("making a folder beside the backup: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	m := manifest{Format: format, Version: version, Began: time.Now().UTC(), SHA256: make(map[string]string)}
	copies, err := takeCopies(ctx, dataDir, work)
	if err != nil {
		return result, err
	}
	whole := filepath.Join(work, "whole")
	if result.Bytes, err = pack(whole, copies, m); err != nil {
		return result, fmt.Errorf("writing the backup: %w", err)
	}
	// A link does not replace what somebody else has put there meanwhile.
	if err := os.Link(whole, file); err != nil {
		return result, fmt.Errorf("putting the backup in its place: %w", err)
	}
	result.Began = m.Began
	return result, syncFolder(filepath.Dir(file))
}

// takeCopies returns the paths of the copies.
func takeCopies(ctx context.Context, dataDir, work string) (paths []string, err error) {
	for _, name := range databases() {
		from, to := filepath.Join(dataDir, name), filepath.Join(work, name)
		if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) && name != store {
			continue // both are made anew at the next start, and the workflows that are missing with them
		}
		if err := copyDatabase(ctx, from, to); err != nil {
			return nil, fmt.Errorf("copying %s: %w", from, err)
		}
		paths = append(paths, to)
	}
	key, err := os.ReadFile(filepath.Join(dataDir, secret))
	if errors.Is(err, fs.ErrNotExist) { // tokens are signed with a key that is kept elsewhere
		return paths, nil
	}
	if err != nil {
		return nil, err
	}
	to := filepath.Join(work, secret)
	return append(paths, to), os.WriteFile(to, key, 0o600)
}

// pack writes an archive of the files and their sums, and syncs it.
func pack(path string, files []string, m manifest) (size int64, err error) {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	archive := tar.NewWriter(out)
	for _, file := range files {
		name := filepath.Base(file)
		if m.SHA256[name], err = packFile(archive, file, m.Began); err != nil {
			return 0, err
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return 0, err
	}
	if err := archive.WriteHeader(header(manifestName, int64(len(text)), m.Began)); err != nil {
		return 0, err
	}
	if _, err := archive.Write(text); err != nil {
		return 0, err
	}
	if err := errors.Join(archive.Close(), out.Sync()); err != nil {
		return 0, err
	}
	info, err := out.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func packFile(archive *tar.Writer, path string, at time.Time) (sum string, err error) {
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	info, err := in.Stat()
	if err != nil {
		return "", err
	}
	if err := archive.WriteHeader(header(filepath.Base(path), info.Size(), at)); err != nil {
		return "", err
	}
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(archive, hash), in); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func header(name string, size int64, at time.Time) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: at}
}

// syncFolder makes the names in a folder survive the loss of power.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
