//go:build noembedded

package backup

import "errors"

// errNoEmbedded says that this build can't open the databases.
var errNoEmbedded = errors.New("this build has no SQLite in it: use one without -tags noembedded; docs/backup.md tells how replicas are backed up")
