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
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
)

const (
	// partial is what files are called in addition until all of them are there.
	partial = ".partial"
	// lockName is the file that a server locks in its data folder.
	lockName = "lock"
	// longestManifest bounds what is read of a file that may be anything.
	longestManifest = 1 << 20
)

// Restore makes a data folder of a backup, and returns when what is in the backup was accepted at the latest. The folder
// must be empty or not be there. If it fails, it leaves the folder empty.
func Restore(ctx context.Context, file, dataDir string) (began time.Time, err error) {
	if errNoEmbedded != nil {
		return began, errNoEmbedded
	}
	in, err := os.Open(file)
	if err != nil {
		return began, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := makeEmpty(dataDir); err != nil {
		return began, err
	}
	lock := flock.New(filepath.Join(dataDir, lockName))
	locked, err := lock.TryLock()
	if err != nil || !locked {
		return began, errors.Join(fmt.Errorf("%s is in use by another process", dataDir), err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, clear(dataDir))
		}
		err = errors.Join(err, lock.Unlock())
	}()
	sums, m, err := unpack(in, dataDir)
	if err != nil {
		return began, fmt.Errorf("reading the backup %s: %w", file, err)
	}
	if err := m.check(sums); err != nil {
		return began, fmt.Errorf("the backup %s: %w", file, err)
	}
	if err := reopen(ctx, filepath.Join(dataDir, store+partial)); err != nil {
		return began, fmt.Errorf("preparing the database for its new workflows: %w", err)
	}
	// The database that makes it a data folder comes last.
	for _, name := range append([]string{secret}, databases()...) {
		path := filepath.Join(dataDir, name)
		if _, there := sums[name]; !there {
			continue
		}
		if err := os.Rename(path+partial, path); err != nil {
			return began, err
		}
	}
	return m.Began, syncFolder(dataDir)
}

// makeEmpty makes the folder, or refuses one that has something in it but what a file system puts at its root.
func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != "lost+found" {
			return fmt.Errorf("%s is not empty: it has %s, and restoring replaces nothing", dir, e.Name())
		}
	}
	return nil
}

// clear removes what a restoring that failed has made.
func clear(dir string) error {
	var errs []error
	for _, name := range append(databases(), secret) {
		for _, path := range []string{name, name + partial, name + partial + "-journal"} {
			if err := os.Remove(filepath.Join(dir, path)); err != nil && !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(append(errs, os.Remove(filepath.Join(dir, lockName)))...)
}

// unpack writes the files of a backup, each under a partial name, and returns the sums of what it wrote.
func unpack(in io.Reader, dir string) (sums map[string]string, m manifest, err error) {
	sums = make(map[string]string)
	archive := tar.NewReader(in)
	for {
		entry, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, m, errors.New("it is incomplete")
		case err != nil:
			return nil, m, err
		case entry.Name == manifestName:
			err := json.NewDecoder(io.LimitReader(archive, longestManifest)).Decode(&m)
			return sums, m, err
		case entry.Typeflag != tar.TypeReg || entry.Name != secret && !slices.Contains(databases(), entry.Name):
			return nil, m, fmt.Errorf("it holds %q, which no backup does", entry.Name)
		}
		if sums[entry.Name], err = unpackFile(archive, filepath.Join(dir, entry.Name+partial)); err != nil {
			return nil, m, err
		}
	}
}

func unpackFile(in io.Reader, path string) (sum string, err error) {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(out, hash), in); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), out.Sync()
}

// check compares the backup with what it says of itself.
func (m *manifest) check(sums map[string]string) error {
	if m.Format != format {
		return fmt.Errorf("its format is %d, and this program knows %d; it was made by version %q", m.Format, format, m.Version)
	}
	if sums[store] == "" || len(sums) != len(m.SHA256) {
		return errors.New("it is incomplete")
	}
	for name, sum := range m.SHA256 {
		if sums[name] != sum {
			return fmt.Errorf("%s in it is damaged", name)
		}
	}
	return nil
}
