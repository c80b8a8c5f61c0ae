package devserver_test

import (
	"database/sql"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/posthorn/posthorn/internal/devserver"
)

func TestWorkflowsSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	warnings := &logRecorder{level: slog.LevelWarn}
	withLog := func(o *devserver.Options) { o.Logger = slog.New(warnings) }

	first := start(t, dir, withLog)
	s := connect(t, first)
	s.run(t, "msg_done", script{}, tenant().ValueSet("acme"))
	s.run(t, "msg_open", script{Wait: true})
	require.EventuallyWithT(t, func(c *assertT) {
		require.Equal(c, []string{"msg_done"}, s.list(c, `ExecutionStatus="Completed"`))
	}, patience, tick)
	s.close()
	require.NoError(t, first.Stop())
	for _, name := range []string{"temporal.db", "visibility.db"} {
		require.FileExists(t, filepath.Join(dir, name))
		require.NoFileExists(t, filepath.Join(dir, name+"-wal"))
	}

	s = connect(t, start(t, dir, withLog))
	var result string
	require.NoError(t, s.GetWorkflow(t.Context(), "msg_done", "").Get(t.Context(), &result))
	require.Equal(t, "delivered", result)
	require.Equal(t, []string{"msg_done"}, s.list(t, `Tenant="acme"`))
	require.Equal(t, []string{"msg_open", "msg_done"}, s.list(t, ""))
	require.NoError(t, s.CancelWorkflow(t.Context(), "msg_open", ""))
	require.NoError(t, s.GetWorkflow(t.Context(), "msg_open", "").Get(t.Context(), nil))
	s.close()
	require.Empty(t, warnings.all(), "an ordinary run logs no warning")
}

func TestWorkflowsSurviveACrash(t *testing.T) {
	t.Parallel()
	dir, image := t.TempDir(), t.TempDir()
	s := connect(t, start(t, dir))
	s.run(t, "msg_done", script{}, tenant().ValueSet("acme"))
	require.EventuallyWithT(t, func(c *assertT) {
		require.Equal(c, []string{"msg_done"}, s.list(c, `ExecutionStatus="Completed"`))
	}, patience, tick)
	// What the files hold now is what a killed process leaves behind. The state file is left out: it is locked.
	for _, name := range []string{"temporal.db", "temporal.db-wal", "visibility.db", "visibility.db-wal"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(image, name), content, 0o600))
	}

	s = connect(t, start(t, image))
	require.NoError(t, s.GetWorkflow(t.Context(), "msg_done", "").Get(t.Context(), nil))
	require.Equal(t, []string{"msg_done"}, s.list(t, `Tenant="acme"`))
}

func TestLaterStartAddsSearchAttributes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, dir)
	s := connect(t, first)
	s.run(t, "msg_old", script{}, tenant().ValueSet("acme"))
	s.close()
	require.NoError(t, first.Stop())

	second := start(t, dir, func(o *devserver.Options) {
		o.SearchAttributes["EventType"] = enums.INDEXED_VALUE_TYPE_KEYWORD
		delete(o.SearchAttributes, "Endpoints")
	})
	s = connect(t, second)
	s.run(t, "msg_new", script{Endpoints: []string{"ep_1"}}, tenant().ValueSet("acme"), eventType().ValueSet("invoice.paid"))
	require.EventuallyWithT(t, func(c *assertT) {
		require.Equal(c, []string{"msg_new"}, s.list(c, `EventType="invoice.paid"`))
		require.Equal(c, []string{"msg_new"}, s.list(c, `Endpoints="ep_1"`), "left out, but still there")
		require.Equal(c, []string{"msg_new", "msg_old"}, s.list(c, `Tenant="acme" AND ExecutionStatus="Completed"`))
	}, patience, tick)
	s.close()
	require.NoError(t, second.Stop())

	_, err := devserver.Start(t.Context(), devserver.Options{
		Dir: dir, Listen: "127.0.0.1:0",
		SearchAttributes: map[string]enums.IndexedValueType{"Tenant": enums.INDEXED_VALUE_TYPE_INT},
	})
	require.ErrorContains(t, err, "search attribute Tenant: is registered as Keyword, wanted Int")
}

func TestStartAndStopAgainAndAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, durability := range []devserver.Durability{devserver.Full, devserver.Normal, devserver.Full} {
		server := start(t, dir, func(o *devserver.Options) {
			o.Durability = durability
			o.UIListen = "127.0.0.1:0"
		})
		frontend, ui := server.Address(), strings.TrimPrefix(server.UIAddress(), "http://")
		done := make(chan error)
		for range 3 {
			go func() { done <- server.Stop() }()
		}
		for range 3 {
			require.NoError(t, <-done)
		}
		require.NoError(t, server.Stop())
		for _, addr := range []string{frontend, ui} {
			l, err := net.Listen("tcp", addr)
			require.NoError(t, err, "port is free again")
			require.NoError(t, l.Close())
		}
	}
}

func TestWebUI(t *testing.T) {
	t.Parallel()
	server := start(t, t.TempDir(), func(o *devserver.Options) {
		o.UIListen = "127.0.0.1:0"
		o.Namespace = "hooks"
	})
	get := func(path string) string {
		answer, err := http.Get(server.UIAddress() + path)
		require.NoError(t, err)
		defer answer.Body.Close()
		require.Equal(t, http.StatusOK, answer.StatusCode)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return string(body)
	}
	require.Contains(t, get("/"), "<html")
	require.Contains(t, get("/api/v1/settings"), `"DefaultNamespace":"hooks"`)
	require.Contains(t, get("/api/v1/namespaces/hooks"), "NAMESPACE_STATE_REGISTERED", "reaches the server")
	http.DefaultClient.CloseIdleConnections()
}

func TestTakenPortIsAnErrorThatLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) }) // after the parallel subtests
	addr := taken.Addr().String()

	for what, options := range map[string]devserver.Options{
		"Temporal server": {Listen: addr},
		"Temporal Web UI": {Listen: "127.0.0.1:0", UIListen: addr},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			options.Dir = t.TempDir()
			_, err := devserver.Start(t.Context(), options)
			var port *devserver.PortError
			require.ErrorAs(t, err, &port)
			require.Equal(t, what, port.What)
			require.Equal(t, addr, port.Addr)
			require.ErrorContains(t, err, what+" cannot listen on "+addr)
			entries, err := os.ReadDir(options.Dir)
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

func TestFolderOfARunningServerIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := connect(t, start(t, dir))
	_, err := devserver.Start(t.Context(), devserver.Options{Dir: dir, Listen: "127.0.0.1:0"})
	require.ErrorContains(t, err, "is another server using the folder?")
	s.run(t, "msg_1", script{})
}

func TestFilesOfANewerTemporalAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, start(t, dir).Stop())
	inFile(t, dir, "temporal.db", func(db *sql.DB) {
		_, err := db.Exec(`UPDATE posthorn_version SET server_version = '99.1.0'`)
		require.NoError(t, err)
	})
	_, err := devserver.Start(t.Context(), devserver.Options{Dir: dir, Listen: "127.0.0.1:0"})
	require.ErrorContains(t, err, "written by Temporal 99.1.0, this binary embeds the older")
}

func TestAllWrongOptionsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := devserver.Start(t.Context(), devserver.Options{Retention: 1, Durability: 7})
	for _, field := range []string{"Dir: required", "Retention: 1ns is less than 1h", "Durability: unknown value 7"} {
		require.ErrorContains(t, err, field)
	}
}
