package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersionCommand(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version [flags]",
		Short: "Print the version",
		Long: `Version prints the version of shmkit, of the Go it was built with, and the
platform.`,
		Example: `  shmkit version
  shmkit version --json
  shmkit --version`,
		Args: exactArgs(0),
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return a.printJSON(builtAs())
			}
			_, err := fmt.Fprintln(a.out, "shmkit", version())
			return err
		},
	}
	jsonFlag(cmd, &asJSON, "print one JSON object")
	return cmd
}

// build is what the go command recorded when it built the program. The keys are stable.
type build struct {
	Version  string  `json:"version"`
	Revision *string `json:"revision"` // null if not known
	Go       string  `json:"go"`
	OS       string  `json:"os"`
	Arch     string  `json:"arch"`
}

func builtAs() build {
	b := build{Version: "(devel)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Revision = &s.Value
			}
		}
	}
	return b
}

// version is that in a line.
func version() string {
	b, revision := builtAs(), ""
	if b.Revision != nil {
		revision = " " + *b.Revision
	}
	return fmt.Sprintf("%s%s %s %s/%s", b.Version, revision, b.Go, b.OS, b.Arch)
}
