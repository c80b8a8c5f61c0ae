package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// version is set by release builds: -ldflags "-X github.com/posthorn/posthorn/internal/cli.version=v1.2.3".
var version string

// versionCmd prints what this binary is.
type versionCmd struct{}

// Run prints the version.
func (*versionCmd) Run(p *program) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{GoVersion: runtime.Version()}
	}
	_, err := fmt.Fprint(p.stdout, versionText(version, info))
	return err
}

func versionText(release string, info *debug.BuildInfo) string {
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	commit := cmp.Or(settings["vcs.revision"], "unknown")
	if settings["vcs.modified"] == "true" {
		commit += " (modified)"
	}
	modules := make(map[string]string)
	for _, m := range info.Deps {
		modules[m.Path] = m.Version
	}
	var b strings.Builder
	row := func(name, value string) { fmt.Fprintf(&b, "%-16s %s\n", name, cmp.Or(value, "not part of this build")) }
	row("posthorn", cmp.Or(release, info.Main.Version, "(devel)"))
	row("commit", commit)
	row("go", info.GoVersion)
	row("temporal server", modules["go.temporal.io/server"])
	row("temporal ui", modules["github.com/temporalio/ui-server/v2"])
	row("temporal sdk", modules["go.temporal.io/sdk"])
	return b.String()
}
