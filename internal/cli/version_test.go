package cli

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVersionText(t *testing.T) {
	t.Parallel()
	info := &debug.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Version: "(devel)"},
		Deps: []*debug.Module{
			{Path: "go.temporal.io/server", Version: "v1.32.0"},
			{Path: "go.temporal.io/sdk", Version: "v1.50.0"},
		},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc123"}, {Key: "vcs.modified", Value: "true"}},
	}
	require.Equal(t, `posthorn         v1.2.3
commit           abc123 (modified)
go               go1.26.8
temporal server  v1.32.0
temporal ui      not part of this build
temporal sdk     v1.50.0
`, versionText("v1.2.3", info))
	require.Contains(t, versionText("", info), "posthorn         (devel)\n")
}

func TestVersionPrintsThisBuild(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Equal(t, 0, b.run(t, "version"))
	require.Contains(t, b.stdout.String(), "go               go1.")
}
