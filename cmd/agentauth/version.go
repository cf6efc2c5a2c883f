package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by -ldflags "-X main.version=v1.2.3".
var version = ""

// build is what this binary was built of.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func versionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Example: `  agentauth version
  agentauth version -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("version takes no arguments, came %q", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := thisBuild()
			switch output {
			case "text":
				fmt.Fprintln(cmd.OutOrStdout(), b)
				return nil
			case "json":
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(b)
			}
			return usage("-o %q: expected text or json", output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	oneOf(cmd, "output", "text", "json")
	return cmd
}

// String is one line: the version, the revision if the version does not have it,
// Go and the platform.
func (b build) String() string {
	return fmt.Sprintf("agentauth %s %s %s", b.Version, b.Go, b.Platform)
}

func thisBuild() build {
	info, _ := debug.ReadBuildInfo()
	return buildOf(version, info)
}

// buildOf takes the version that the build was told, else that of the module, else
// the revision.
func buildOf(version string, info *debug.BuildInfo) build {
	b := build{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	module := ""
	if info != nil {
		module = info.Main.Version
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.time":
				b.Time = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if module == "(devel)" {
		module = ""
	}
	revision := ""
	if b.Revision != "" {
		revision = "devel-" + b.Revision[:min(12, len(b.Revision))]
		if b.Modified {
			revision += "+dirty"
		}
	}
	b.Version = cmp.Or(version, module, revision, "(devel)")
	return b
}

// versionString is the version alone.
func versionString() string { return thisBuild().Version }
