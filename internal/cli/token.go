package cli

import (
	"context"
	"fmt"
	"net/http"

	"github.com/posthorn/posthorn"
)

// tokenCmd prints a token.
type tokenCmd struct {
	App     string `placeholder:"APP" help:"Limit the token to one application: its id (app_…), or its uid, which a running server has to look up."`
	DataDir string `placeholder:"DIR" default:"${data_dir}" help:"Data folder of the server; its secret signs the token."`
	Server  string `placeholder:"URL" default:"${server}" help:"The server that looks up a uid."`
}

// Help implements kong.HelpProvider.
func (*tokenCmd) Help() string {
	return `Without --app the token is for the platform team: it may do everything in the organisation. With --app it is for one customer: their endpoints and deliveries, and nothing of anybody else's. Only the token is printed, for use in scripts.

Examples:

    export POSTHORN_TOKEN=$(posthorn token)
    posthorn token --app acme`
}

// Run prints the token.
func (c *tokenCmd) Run(ctx context.Context, p *program) error {
	if c.App != "" {
		if err := checkApp(c.App); err != nil {
			return err
		}
		if posthorn.ApplicationID.Has(c.App) && !posthorn.ApplicationID.Valid(c.App) {
			return usagef("--app %s is not an id: ids are %s and 26 characters", c.App, posthorn.ApplicationID)
		}
	}
	made, err := p.tokens(c.DataDir)
	if err != nil {
		return cannotStart(err)
	}
	token, err := made.Organisation(posthorn.DefaultOrg)
	if err != nil {
		return fmt.Errorf("making a token: %w", err)
	}
	if c.App != "" {
		token, err = c.limited(ctx, made, token)
		if err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(p.stdout, token)
	return err
}

// limited returns a token for c.App alone. It may need organisation, a token that can look up uids.
func (c *tokenCmd) limited(ctx context.Context, made tokens, organisation string) (string, error) {
	id := c.App
	if !posthorn.ApplicationID.Has(id) {
		api, err := newClient(c.Server, organisation)
		if err != nil {
			return "", err
		}
		defer api.close()
		found, err := api.app(ctx, c.App)
		if answered(err, http.StatusNotFound) {
			return "", fmt.Errorf("there is no application %q at %s", c.App, c.Server)
		}
		if err != nil {
			return "", fmt.Errorf("looking up the application %q (its id would do without): %w", c.App, err)
		}
		id = found.ID
	}
	token, err := made.Application(posthorn.DefaultOrg, id)
	if err != nil {
		return "", fmt.Errorf("making a token for %s: %w", id, err)
	}
	return token, nil
}
