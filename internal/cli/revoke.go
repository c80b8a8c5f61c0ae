package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// revokeCmd ends tokens before they expire.
type revokeCmd struct {
	Which    string   `arg:"" optional:"" name:"token-or-id" help:"The token, or its id (tok_…, the claim jti)."`
	App      string   `placeholder:"APP" help:"Revoke the tokens that this application has, by its id or uid. Those made later are good."`
	Sessions []string `sep:"," placeholder:"NAMES" help:"With --app: only tokens that were made for one of these sessions, separated by commas."`
	In       lifetime `placeholder:"TIME" help:"With --app: let the tokens last so much longer, 72h at most."`
	connection
}

// Help implements kong.HelpProvider.
func (*revokeCmd) Help() string {
	return `It holds at once in the process that answers, and within 10 seconds in others on the same database. To end all tokens there are, replace the secret that signs them.

Examples:

    posthorn revoke tok_06c1rg6rs9m5y1w5hy6qkz7jc8
    posthorn revoke --app acme --in 1h`
}

// Run revokes.
func (c *revokeCmd) Run(ctx context.Context, p *program) error {
	switch {
	case (c.Which == "") == (c.App == ""):
		return usagef("name either a token or an application with --app")
	case c.App == "" && (len(c.Sessions) > 0 || c.In != 0):
		return usagef("--sessions and --in are for --app")
	}
	if c.App != "" {
		if err := checkApp(c.App); err != nil {
			return err
		}
	}
	server, err := c.connect(p)
	if err != nil {
		return err
	}
	defer server.close()
	if err := c.revoke(ctx, server); err != nil {
		if answered(err, http.StatusNotFound) {
			return fmt.Errorf("there is no application %q at %s", c.App, server.server())
		}
		return c.explain(err)
	}
	_, err = fmt.Fprintln(p.stdout, "revoked")
	return err
}

func (c *revokeCmd) revoke(ctx context.Context, server *client) error {
	if c.App != "" {
		return server.do(ctx, http.MethodPost, server.url("auth", "app", c.App, "expire-all"), struct {
			Expiry   int      `json:"expiry"`
			Sessions []string `json:"sessionIds,omitempty"`
		}{int(time.Duration(c.In) / time.Second), c.Sessions}, nil)
	}
	var in struct {
		Token   string `json:"token,omitempty"`
		TokenID string `json:"tokenId,omitempty"`
	}
	if strings.Count(c.Which, ".") == 2 {
		in.Token = c.Which
	} else {
		in.TokenID = c.Which
	}
	return server.do(ctx, http.MethodPost, server.url("auth", "revoke"), in, nil)
}
