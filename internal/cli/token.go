package cli

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/api"
)

// tokenCmd prints a token.
type tokenCmd struct {
	App          string   `placeholder:"APP" help:"Limit the token to one application: its id (app_…), or its uid, which a running server has to look up."`
	Expires      lifetime `placeholder:"TIME" help:"How long the token is good for, such as 24h or 30d. 10 years unless set; 28 days with --app."`
	ReadOnly     bool     `help:"Let the token read only, and no signing secrets."`
	Capabilities []string `sep:"," enum:"ViewBase,ViewEndpointSecret,ManageEndpointSecret,ManageTransformations,CreateAttempts,ManageEndpoint,CreateMessages" placeholder:"NAMES" help:"Narrow the token to these, separated by commas: ViewBase (read), ViewEndpointSecret, ManageEndpointSecret, ManageTransformations, CreateAttempts (send again), ManageEndpoint, CreateMessages (send; without --app only)."`
	FeatureFlags []string `sep:"," placeholder:"NAMES" help:"Show event types with these feature flags, separated by commas. With --app only: without it all are shown."`
	Session      string   `placeholder:"NAME" help:"Name under which tokens of the application can be revoked together. With --app only."`
	Networks     []subnet `sep:"," placeholder:"CIDR" help:"Networks that the token may be used from, separated by commas. Anywhere, unless set."`
	DataDir      string   `placeholder:"DIR" default:"${data_dir}" help:"Data folder of the server; its secret signs the token."`
	Server       string   `placeholder:"URL" default:"${server}" help:"The server that looks up a uid."`
	jwtFlags
}

// Help implements kong.HelpProvider.
func (*tokenCmd) Help() string {
	return `Without --app the token is for the platform team: it may do everything in the organisation. With --app it is for one customer: their endpoints and deliveries, and nothing of anybody else's. Only the token is printed, for use in scripts.

Examples:

    export POSTHORN_TOKEN=$(posthorn token)
    posthorn token --app acme
    posthorn token --app acme --read-only --expires 24h
    posthorn token --capabilities CreateMessages`
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
	if c.App == "" && (len(c.FeatureFlags) > 0 || c.Session != "") {
		return usagef("--feature-flags and --session are for tokens with --app")
	}
	made, err := p.tokens(c.DataDir, c.jwt())
	if err != nil {
		return cannotStart(err)
	}
	grant := api.Grant{
		Org: posthorn.DefaultOrg, Life: time.Duration(c.Expires), ReadOnly: c.ReadOnly,
		FeatureFlags: c.FeatureFlags, Session: c.Session, Networks: prefixes(c.Networks),
	}
	for _, name := range c.Capabilities {
		grant.Capabilities = append(grant.Capabilities, api.Capability(name))
	}
	if c.App != "" {
		if grant.App, err = c.applicationID(ctx, made); err != nil {
			return err
		}
	}
	token, err := made.Issue(grant)
	if err != nil {
		return fmt.Errorf("making a token: %w", err)
	}
	_, err = fmt.Fprintln(p.stdout, token)
	return err
}

// applicationID returns the ID of c.App. A uid is looked up with a token that lasts no longer than that takes.
func (c *tokenCmd) applicationID(ctx context.Context, made tokens) (string, error) {
	if posthorn.ApplicationID.Has(c.App) {
		return c.App, nil
	}
	token, err := made.Issue(api.Grant{Org: posthorn.DefaultOrg, Life: 2 * requestTimeout, ReadOnly: true})
	if err != nil {
		return "", fmt.Errorf("making a token: %w", err)
	}
	server, err := newClient(c.Server, token)
	if err != nil {
		return "", err
	}
	defer server.close()
	found, err := server.app(ctx, c.App)
	if answered(err, http.StatusNotFound) {
		return "", fmt.Errorf("there is no application %q at %s", c.App, c.Server)
	}
	if err != nil {
		return "", fmt.Errorf("looking up the application %q (its id would do without): %w", c.App, err)
	}
	return found.ID, nil
}
