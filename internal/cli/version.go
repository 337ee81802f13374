package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  wants,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), Version())
			return err
		},
	}
}

// stamped is the version that the Makefile's build gives (-ldflags -X); empty in
// other builds.
var stamped string

// Version tells from which sources the binary was built: what the build says, or
// else what the Go toolchain has noted.
func Version() string {
	if stamped != "" {
		return stamped + " " + runtime.Version()
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version, revision, modified := info.Main.Version, "", ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			revision = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			modified = ", modified"
		}
	}
	if version == "" || version == "(devel)" {
		version = "development"
	}
	if revision != "" {
		version += " (" + revision[:min(12, len(revision))] + modified + ")"
	}
	return version + " " + info.GoVersion
}
