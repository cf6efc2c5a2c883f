package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/policydir"
)

func validateCommand() *cobra.Command {
	var output string
	var network networkFlags
	cmd := &cobra.Command{
		Use:   "validate PATH...",
		Short: "Find what is wrong in manifests",
		Long: `Reads manifests, files or directories, as serve does, compiles them, and prints
everything that is wrong: where, what was expected, what came and what to do.
Exit codes: 0 nothing is wrong (there may be warnings), 1 something is.`,
		Example: `  agentauth validate config/samples
  agentauth validate -o json policy.yaml secrets.yaml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return usage("-o %q: expected text or json", output)
			}
			for _, path := range args {
				if _, err := os.Stat(path); err != nil {
					return usage("%v", err)
				}
			}
			kernel, done, err := network.kernel(engine.Options{OneTenant: true})
			if err != nil {
				return err
			}
			defer done()
			tree, problems := policydir.Load(args...)
			snapshot, problems := network.compile(cmd.Context(), kernel, tree, problems)
			if err := printProblems(cmd, output, problems); err != nil {
				return usage("cannot write: %v", err)
			}
			for _, p := range problems {
				if p.Severity.Level() == "error" {
					return exit{code: exitDenied}
				}
			}
			if output == "text" {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d policies are valid\n", len(tree.Input.Policies))
				for _, found := range snapshot.Found() {
					fmt.Fprintln(cmd.ErrOrStderr(), found)
				}
			}
			return nil
		},
	}
	network.register(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func printProblems(cmd *cobra.Command, output string, problems []authz.Problem) error {
	if output == "json" {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(printable(problems))
	}
	for _, p := range problems {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), problemLine(p)); err != nil {
			return err
		}
	}
	return nil
}
