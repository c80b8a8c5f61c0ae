package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// environment sets flags that are not on the command line from the variable of the same name. An empty variable counts
// as not set, except for flags tagged blank:"", where the empty value means something.
//
// Kong's own support for variables reads the process environment, which tests could not have side by side.
type environment struct {
	lookup func(string) (string, bool)
	used   []*kong.Flag
}

// Validate implements kong.Resolver.
func (e *environment) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver.
func (e *environment) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if flag.Name == "help" {
		return nil, nil
	}
	value, ok := e.lookup(variable(flag.Name))
	if !ok || value == "" && !flag.Tag.Has("blank") {
		return nil, nil
	}
	e.used = append(e.used, flag)
	return value, nil
}

// blame names the variables behind the flags that an error text is about: who reads it has typed no such flag.
func (e *environment) blame(text string) string {
	var names []string
	for _, flag := range e.used {
		if strings.Contains(text+" ", "--"+flag.Name+" ") || strings.Contains(text, "--"+flag.Name+":") {
			names = append(names, variable(flag.Name))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf(" (set by %s)", strings.Join(slices.Compact(names), ", "))
}

func variable(flag string) string {
	return "POSTHORN_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// describe is the help text of a flag or argument: what it is for, its default and its variable.
func describe(value *kong.Value) string {
	if value.Flag == nil || value.Name == "help" {
		return value.Help
	}
	var notes []string
	if value.HasDefault && value.Default != "" {
		notes = append(notes, "default "+value.Default)
	}
	notes = append(notes, "$"+variable(value.Name))
	return fmt.Sprintf("%s [%s]", value.Help, strings.Join(notes, "; "))
}
