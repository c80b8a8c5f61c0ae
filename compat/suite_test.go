package compat

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/tooltest"
)

// suite is the tests of one SDK, which run as a program of their own.
type suite struct {
	name    string // also the beginning of the names that its tests give to what they make
	dir     string
	needs   string // a file that the SDK's installation makes
	program string
	args    []string
}

var suites = []suite{
	{name: "node", dir: "node", needs: "node/node_modules/svix/package.json", program: "node", args: []string{"--test", "--test-reporter", "spec", "suite.mjs"}},
	{name: "python", dir: "python", needs: "../bin/python/bin/pytest", program: "../bin/python/bin/python", args: []string{"-m", "pytest", "--quiet", "-p", "no:cacheprovider"}},
	{name: "go", dir: "go", needs: "go/go.mod", program: "go", args: []string{"test", "-count=1", "."}},
}

// methods is a suite's methods.json.
type methods struct {
	SDK        string            // name and version
	Methods    map[string]string // the operation that each method in scope calls
	OutOfScope map[string]string // why, for each method, or each resource with all that it has ("streaming.*")
	NoMethod   []string          // operations in scope that this SDK has no method for
}

func (s suite) methods(t *testing.T) methods {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.dir, "methods.json"))
	require.NoError(t, err)
	var m methods
	require.NoError(t, json.Unmarshal(content, &m))
	return m
}

// operations are those that the methods call, sorted.
func (m methods) operations() []string {
	var ids []string
	for _, id := range m.Methods {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// run runs the suite. Where its language or SDK isn't installed it is skipped, except under POSTHORN_CI.
func (s suite) run(t *testing.T, environment map[string]string) {
	t.Helper()
	program := s.program
	if strings.Contains(program, "/") {
		absolute, err := filepath.Abs(program)
		require.NoError(t, err)
		program = absolute
	}
	if _, err := exec.LookPath(program); err != nil {
		tooltest.Absent(t, "%s is not installed; with it, `make clients` installs the SDK", s.program)
	}
	if _, err := os.Stat(s.needs); err != nil {
		tooltest.Absent(t, "the SDK for %s is not installed: run `make clients`", s.name)
	}
	command := exec.CommandContext(t.Context(), program, s.args...)
	command.Dir = s.dir
	command.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off", "PYTHONDONTWRITEBYTECODE=1", "NO_COLOR=1")
	for name, value := range environment {
		command.Env = append(command.Env, name+"="+value)
	}
	output, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%s in compat/%s: %v\n%s", command, s.dir, err, output)
	} else {
		t.Logf("%s", output)
	}
}
