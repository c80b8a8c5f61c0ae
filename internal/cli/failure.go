package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitRefused = 2 // called wrongly, or could not start
)

// failure is an error that says more about the exit than "it failed".
type failure struct {
	err     error
	code    int
	misuse  bool   // the caller should read the help text
	command string // such as "posthorn dev"; empty before one is known
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// usage marks err as the caller's mistake.
func usage(err error) error { return &failure{err: err, code: exitRefused, misuse: true} }

// misparsed is a usage error for a command line that kong refuses.
func misparsed(err error) error {
	f := &failure{err: err, code: exitRefused, misuse: true}
	if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context != nil {
		f.command = commandOf(parse.Context.Selected())
	}
	if flag, expectation, ok := strings.Cut(err.Error(), ": expected "); ok && strings.HasSuffix(expectation, "(<EOL>)") {
		f.err = fmt.Errorf("%s needs a value", flag) // the end of the line is nothing that users know by name
	}
	return f
}

// usagef returns a new error of the caller's.
func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// cannotStart marks err as what kept a server from starting.
func cannotStart(err error) error { return &failure{err: err, code: exitRefused} }

// unlessEnded returns err, or nil if ctx has ended: what was asked to stop, and has stopped, did not fail.
func unlessEnded(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

// inCommand notes which command failed, for the hint to its help text.
func inCommand(command *kong.Node, err error) error {
	if f, ok := errors.AsType[*failure](err); ok {
		f.command = commandOf(command)
	}
	return err
}

func commandOf(node *kong.Node) string {
	if node == nil {
		return "posthorn"
	}
	return "posthorn " + node.Name
}

// report prints err, if any, as one line and returns the exit code.
func (p *program) report(ctx context.Context, err error, environment *environment) int {
	if err == nil {
		return exitOK
	}
	code, hint := exitFailed, ""
	text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		text = "interrupted"
	}
	if f, ok := errors.AsType[*failure](err); ok {
		code = f.code
		text += environment.blame(text)
		if f.misuse {
			hint = fmt.Sprintf(" (run %q)", f.command+" --help")
		}
	}
	fmt.Fprintf(p.stderr, "posthorn: %s%s\n", text, hint)
	return code
}
