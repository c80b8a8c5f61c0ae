// Package engine connects to a Temporal cluster that runs elsewhere: where it is, whether it has what Posthorn needs, and
// whether this process gets work from it.
package engine

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
)

// DefaultNamespace is where workflows are unless something else is said.
const DefaultNamespace = "default"

// Connection reads how to reach Temporal from where all of Temporal's own tools have it: the TEMPORAL_… variables, and the
// profile of its configuration file that they name. The variables are looked up with lookup, and listed by environ for
// those whose names are not known beforehand.
func Connection(lookup func(string) (string, bool), environ func() []string) (client.Options, error) {
	o, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: variables{lookup, environ}})
	if err != nil {
		return client.Options{}, fmt.Errorf("the connection to Temporal (TEMPORAL_… variables, or the file that TEMPORAL_CONFIG_FILE names): %w", plain(err))
	}
	if o.HostPort == "" {
		o.HostPort = client.DefaultHostPort
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	// What Posthorn sends is short: compression costs more time than it saves.
	o.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	return o, nil
}

// variables is an environment as envconfig wants it. An empty variable counts as one that is not set.
type variables struct {
	lookup  func(string) (string, bool)
	environ func() []string
}

func (v variables) LookupEnv(name string) (string, bool) {
	value, ok := v.lookup(name)
	return value, ok && value != ""
}

func (v variables) Environ() (all []string) {
	for _, variable := range v.environ() {
		if !strings.HasSuffix(variable, "=") {
			all = append(all, variable)
		}
	}
	return all
}

// plain keeps to what went wrong with a file, without the words of the operating system around it.
func plain(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return fmt.Errorf("%s: %w", path.Path, path.Err)
	}
	return err
}
