package openapi_test

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/tooltest"
)

// Where schemathesis is, and how much of it is wanted, unless the environment says otherwise.
var (
	schemathesis = cmp.Or(os.Getenv("POSTHORN_SCHEMATHESIS"), "../../bin/python/bin/schemathesis")
	examples     = cmp.Or(os.Getenv("POSTHORN_SCHEMATHESIS_EXAMPLES"), "30") // per operation and phase
	seed         = cmp.Or(os.Getenv("POSTHORN_SCHEMATHESIS_SEED"), "1")
)

// fewestRequests is less than any run makes that is worth its name.
const fewestRequests = 2000

// The document describes the server: thousands of requests that are made from it, valid ones and broken ones, are
// answered as it says, with what it says, and never with an internal error.
func TestTheServerKeepsToItsDocument(t *testing.T) {
	program, err := filepath.Abs(schemathesis)
	require.NoError(t, err)
	if _, err := os.Stat(program); err != nil {
		tooltest.Absent(t, "schemathesis is not installed: run `make clients`")
	}
	t.Run("with the token of the organisation", func(t *testing.T) {
		s := newServer(t)
		receiver := newReceiver(t)
		made := s.fill(receiver.URL)
		r := run{token: s.token, ended: s.newToken(""), made: made}
		answers := r.schemathesis(t, program, s, receiver.URL)
		requireSuccess(t, answers, s.document)
		s.end()
	})
	t.Run("with the token of an application", func(t *testing.T) {
		s := newServer(t)
		receiver := newReceiver(t)
		made := s.fill(receiver.URL)
		id := made["app_id"][1]
		r := run{token: s.newToken(id), ended: s.newToken(id), made: made}
		answers := r.schemathesis(t, program, s, receiver.URL)
		require.Greater(t, answers.successes(), fewestRequests/10, "most of it was refused")
		s.end()
	})
}

var requests = regexp.MustCompile(`(\d+) generated`)

// run is one with a token, after which that which is to be ended is of no use.
type run struct {
	token, ended string
	made         things
}

// schemathesis runs it, and returns what was answered.
func (r run) schemathesis(t *testing.T, program string, s *server, receiver string) answers {
	t.Helper()
	dir := t.TempDir()
	settings, err := os.ReadFile("schemathesis.toml")
	require.NoError(t, err)
	files := map[string]string{"schemathesis.toml": string(settings), "openapi.json": narrowed(t, s.document, receiver)}
	for parameter, names := range r.made {
		files[parameter+".txt"] = `"` + strings.Join(names, "\"\n\"") + `"`
	}
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	command := exec.CommandContext(t.Context(), program, "--config-file", "schemathesis.toml", "run", "openapi.json", "--url", s.url,
		"--header", "Authorization: Bearer "+r.token, "--seed", seed, "--generation-database", "none", "--max-examples", examples,
		"--continue-on-failure", "--suppress-health-check", "all", "--request-timeout", "60", "--warnings", "off", "--no-color",
		"--report", "ndjson", "--report-ndjson-path", "report.ndjson")
	command.Dir = dir
	command.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "COLUMNS=150", "TOKEN_TO_END="+r.ended)
	output, failed := command.CombinedOutput()
	require.NoError(t, failed, "schemathesis has found:\n%s\n\nThe server said:\n%s", output, s.Stderr)
	answers := readAnswers(t, filepath.Join(dir, "report.ndjson"))

	count := requests.FindSubmatch(output)
	require.NotNil(t, count, "%s", output)
	t.Logf("%s requests, %d successful", count[1], answers.successes())
	n, err := strconv.Atoi(string(count[1]))
	require.NoError(t, err)
	require.Greater(t, n, fewestRequests, "%s", output)
	return answers
}

// narrowed is the document with three changes. All endpoints are at the receiver: requests would otherwise make the server
// look for hosts that somebody owns. No request has an idempotency key: with the few that schemathesis would think of, most
// were repetitions of others. And where a query takes a list, it takes a single name too: in a URL they are the same, but
// schemathesis would expect the server to refuse the name.
func narrowed(t *testing.T, document []byte, receiver string) string {
	t.Helper()
	var whole map[string]any
	require.NoError(t, json.Unmarshal(document, &whole))
	schemas := whole["components"].(map[string]any)["schemas"].(map[string]any)
	found := false
	for name, schema := range schemas {
		properties, _ := schema.(map[string]any)["properties"].(map[string]any)
		if _, ok := properties["url"]; ok && !strings.HasSuffix(name, "Out") {
			properties["url"] = map[string]any{"type": "string", "enum": []any{receiver + "/take", receiver + "/refuse"}}
			found = true
		}
	}
	require.True(t, found, "no schema has a url")
	for _, item := range whole["paths"].(map[string]any) {
		for _, operation := range item.(map[string]any) {
			operation := operation.(map[string]any)
			if parameters, ok := operation["parameters"].([]any); ok {
				operation["parameters"] = slices.DeleteFunc(parameters, func(parameter any) bool {
					return parameter.(map[string]any)["name"] == "idempotency-key"
				})
				for _, parameter := range parameters {
					takeOneForAll(parameter)
				}
			}
		}
	}
	changed, err := json.Marshal(whole)
	require.NoError(t, err)
	return string(changed)
}

// takeOneForAll lets a parameter of a query that is a list be a single name.
func takeOneForAll(parameter any) {
	p, _ := parameter.(map[string]any)
	schema, _ := p["schema"].(map[string]any)
	if p["in"] != "query" || schema == nil {
		return
	}
	choices, several := schema["anyOf"].([]any)
	if !several {
		choices = []any{schema}
	}
	if slices.ContainsFunc(choices, func(choice any) bool { return choice.(map[string]any)["type"] == "array" }) {
		p["schema"] = map[string]any{"anyOf": append(choices, map[string]any{"type": "string"})}
	}
}
