//go:build !noembedded

package backup

import _ "modernc.org/sqlite" // the driver "sqlite"

// errNoEmbedded says that this build can't open the databases.
var errNoEmbedded error
