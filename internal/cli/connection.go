package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/posthorn/posthorn"
)

// connection is the flags of the commands that call a running server.
type connection struct {
	Server  string `placeholder:"URL" default:"${server}" help:"The server to call."`
	Token   string `placeholder:"TOKEN" help:"Bearer token. Without one, the secret in --data-dir makes it, so that calling your own \"posthorn dev\" needs nothing."`
	DataDir string `placeholder:"DIR" default:"${data_dir}" help:"Data folder of the server, for making a token."`
	jwtFlags
}

// connect returns a client that holds a token.
func (c *connection) connect(p *program) (*client, error) {
	token := c.Token
	if token == "" {
		made, err := c.localToken(p)
		if err != nil {
			return nil, err
		}
		token = made
	}
	return newClient(c.Server, token)
}

// localToken makes a token from the data folder, but no folder and no secret: here they are another's.
func (c *connection) localToken(p *program) (string, error) {
	if _, err := os.Stat(filepath.Join(c.DataDir, "jwt-secret")); c.JWTKeyFile == "" && errors.Is(err, fs.ErrNotExist) {
		return "", usagef("no token: give one with --token, or --data-dir: %s is not the data folder of a server", c.DataDir)
	}
	made, err := p.tokens(c.DataDir, c.jwt())
	if err != nil {
		return "", fmt.Errorf("making a token: %w", err)
	}
	return made.Organisation(posthorn.DefaultOrg)
}

// explain adds what to do about an answer that has to do with the token.
func (c *connection) explain(err error) error {
	if !answered(err, http.StatusUnauthorized) {
		return err
	}
	if c.Token == "" {
		return fmt.Errorf("%w: %s does not know the secret in %s, give --data-dir or --token", err, c.Server, c.DataDir)
	}
	return fmt.Errorf("%w: %s does not know this --token", err, c.Server)
}

// reference is what names an application: an id, or a uid of the user's own.
var reference = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,256}$`)

// checkApp refuses what cannot name an application, full stops alone among it: they would lead elsewhere in a path.
func checkApp(app string) error {
	if !reference.MatchString(app) || strings.Trim(app, ".") == "" {
		return usagef("an application is named with letters, digits, hyphens, full stops and underscores, not %q", app)
	}
	return nil
}
