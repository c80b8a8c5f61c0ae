package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn/internal/backup"
)

// backupCmd copies the data folder.
type backupCmd struct {
	File    string `arg:"" help:"The file to make."`
	DataDir string `placeholder:"DIR" default:"${data_dir}" help:"Data folder of the server."`
}

// Help implements kong.HelpProvider.
func (*backupCmd) Help() string {
	return `Copies everything in the data folder of "posthorn dev" into one file, while the server runs on it. What was accepted before the command began is in it. The file holds payloads, and secrets as they are in the database: keep it as safe as the folder. A main secret and key files are not in it.

Replicas on PostgreSQL are backed up with the tools of PostgreSQL: docs/backup.md.`
}

// Run makes the backup.
func (c *backupCmd) Run(ctx context.Context, p *program) error {
	made, err := backup.Write(ctx, c.DataDir, c.File, version)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s holds what was accepted until %s (%d bytes)\n", c.File, made.Began.Format(time.RFC3339), made.Bytes)
	return err
}

// restoreCmd makes a data folder of a backup.
type restoreCmd struct {
	File    string `arg:"" help:"The backup."`
	DataDir string `placeholder:"DIR" default:"${data_dir}" help:"Data folder to make. It must be empty or not be there."`
}

// Help implements kong.HelpProvider.
func (*restoreCmd) Help() string {
	return `Makes a data folder of what "posthorn backup" has made. The server that is then started on it goes on with all that was under way; what was delivered after the backup is delivered again.`
}

// Run restores.
func (c *restoreCmd) Run(ctx context.Context, p *program) error {
	began, err := backup.Restore(ctx, c.File, c.DataDir)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s is as it was at %s; start a server on it\n", c.DataDir, began.Format(time.RFC3339))
	return err
}
