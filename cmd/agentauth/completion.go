package main

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// completionCommand is cobra's, with examples that work and one message for a wrong
// shell.
func completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print what completes commands in a shell",
		Long: `Prints a script that completes commands, flags and their values in a shell: bash,
zsh, fish or powershell. It is loaded by a shell's start-up files, as in
source <(agentauth completion bash).`,
		Example: `  agentauth completion bash
  agentauth completion zsh > _agentauth && cat _agentauth`,
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells, args[0]) {
				return usage("completion needs the name of a shell: %s", strings.Join(shells, ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			write := map[string]func(io.Writer) error{
				"bash":       func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
				"zsh":        root.GenZshCompletion,
				"fish":       func(w io.Writer) error { return root.GenFishCompletion(w, true) },
				"powershell": root.GenPowerShellCompletionWithDesc,
			}[args[0]]
			if err := write(cmd.OutOrStdout()); err != nil {
				return usage("cannot write: %v", err)
			}
			return nil
		},
	}
}
