package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// healthTimeout is how long a healthy server may take; container runtimes ask every 30 seconds or so.
const healthTimeout = 5 * time.Second

// healthcheckCmd asks a server whether it is well.
type healthcheckCmd struct {
	Server string `placeholder:"URL" default:"${server}" help:"The server to ask."`
}

// Help implements kong.HelpProvider.
func (*healthcheckCmd) Help() string {
	return `Needs no token, and ends within 5 seconds. Made for the health check of a container:

    HEALTHCHECK CMD ["posthorn", "healthcheck"]`
}

// Run asks once.
func (c *healthcheckCmd) Run(ctx context.Context, p *program) error {
	api, err := newClient(c.Server, "")
	if err != nil {
		return err
	}
	defer api.close()
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	err = api.health(ctx)
	if refusal, ok := errors.AsType[*apiError](err); ok {
		return fmt.Errorf("%s is not well: %s", api.server(), symptoms(refusal))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s is well\n", api.server())
	return err
}

// symptoms names the components that do not work, if the server says which.
func symptoms(refusal *apiError) string {
	var components map[string]struct {
		Status string `json:"status"`
	}
	if json.Unmarshal(refusal.body, &components) != nil {
		return refusal.Error()
	}
	var broken []string
	for _, name := range slices.Sorted(maps.Keys(components)) {
		if status := components[name].Status; status != "ok" {
			broken = append(broken, oneLine(name+" "+status))
		}
	}
	return cmp.Or(strings.Join(broken, ", "), refusal.Error())
}
