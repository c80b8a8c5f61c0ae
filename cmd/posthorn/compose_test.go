package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/posthorn/posthorn/internal/tooltest"
)

// composed is what the tests look at in a docker-compose.yml.
type composed struct {
	Services map[string]struct {
		Image       string
		Command     []string
		Environment map[string]string
		Healthcheck struct{ Test []string }
		Volumes     []string
	}
}

// top is the folder of the repository.
const top = "../.."

// secretsOfCompose are the variables that docker-compose.yml leaves to its user.
func secretsOfCompose() []string {
	return []string{
		"POSTGRES_PASSWORD=pw-one", "POSTHORN_DB_PASSWORD=pw-two", "TEMPORAL_DB_PASSWORD=pw-three",
		"POSTHORN_JWT_FILE=/secrets/jwt", "POSTHORN_MAIN_FILE=/secrets/main",
	}
}

// compose runs `docker-compose config` with nothing but some variables in the environment.
func compose(t *testing.T, variables ...string) (stdout string, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), tooltest.Find(t, "docker-compose"), "config")
	command.Dir = top
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, variables...)
	out, err := command.Output()
	return string(out), err
}

// TestCompose has docker-compose read its file, and asks the program about every command and variable in it.
func TestCompose(t *testing.T) {
	t.Parallel()
	text, err := compose(t, secretsOfCompose()...)
	require.NoError(t, err)
	var file composed
	require.NoError(t, yaml.Unmarshal([]byte(text), &file))
	require.Equal(t, "/secrets/jwt", between(text, "file: ", "\n"))

	// Nothing is left to chance, or to whoever reads the file.
	for i := range secretsOfCompose() {
		_, err := compose(t, slices.Delete(secretsOfCompose(), i, i+1)...)
		require.Error(t, err, "without %s", secretsOfCompose()[i])
	}

	programs := 0
	for name, service := range file.Services {
		_, tag, pinned := strings.Cut(service.Image, ":")
		require.True(t, pinned && tag != "latest", "%s: %s", name, service.Image)
		for _, volume := range service.Volumes {
			if path, _, _ := strings.Cut(volume, ":"); filepath.IsAbs(path) {
				require.FileExists(t, path)
			}
		}
		if !strings.HasPrefix(service.Image, "posthorn:") {
			continue
		}
		programs++
		require.NotEmpty(t, service.Command, name)
		help := helpOf(t, service.Command[0])
		for variable := range service.Environment {
			if strings.HasPrefix(variable, "TEMPORAL_") {
				require.Contains(t, []string{"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"}, variable, "the Temporal SDK reads it")
			} else {
				require.Contains(t, help, "$"+variable+"]", "%s has no such setting", service.Command)
			}
		}
		if check := service.Healthcheck.Test; len(check) > 0 {
			require.Equal(t, []string{"CMD", "posthorn"}, check[:2])
			require.Contains(t, helpOf(t, check[2]), check[3]+"=")
		}
	}
	require.Equal(t, 3, programs, "migrate and two replicas")

	proxy, err := os.ReadFile(filepath.Join(top, "deploy", "Caddyfile"))
	require.NoError(t, err)
	for name, service := range file.Services {
		if len(service.Command) > 0 && service.Command[0] == "serve" {
			require.Contains(t, string(proxy), name+":8071")
			require.Equal(t, "0.0.0.0:8071", service.Environment["POSTHORN_LISTEN"])
		}
	}
}

// helpOf returns what a command says of itself, in one line.
func helpOf(t *testing.T, command string) string {
	t.Helper()
	p := run(t, command, "--help")
	require.Zero(t, p.Code, "%s", p.Stderr)
	require.Contains(t, p.Stdout.String(), "Usage: posthorn "+command)
	return strings.Join(strings.Fields(p.Stdout.String()), " ")
}

func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

// TestVariablesInDocuments holds what the documents for operators say to what the program knows.
func TestVariablesInDocuments(t *testing.T) {
	t.Parallel()
	var help strings.Builder
	for _, command := range []string{"dev", "serve", "api", "worker", "migrate", "token", "backup", "restore"} {
		help.WriteString(helpOf(t, command) + " ")
	}
	for _, name := range []string{"production.md", "backup.md"} {
		text, err := os.ReadFile(filepath.Join(top, "docs", name))
		require.NoError(t, err)
		found := 0
		for _, word := range strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(" \n`|,()=", r) }) {
			if strings.HasPrefix(word, "--") && strings.Trim(word, "-") != "" && !foreign(word) {
				require.Contains(t, help.String(), word, name)
				found++
			}
		}
		require.NotZero(t, found, name)
	}
}

// foreign are the flags of other programs that the documents mention.
func foreign(flag string) bool {
	return slices.Contains([]string{"--build", "--no-deps", "--format", "--dbname", "--create", "--tags", "--build-arg"}, flag)
}
