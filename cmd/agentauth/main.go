// Command agentauth secures the APIs of AI agents: it decides for Envoy
// (ext_authz) who may call, what they may do and what the upstream learns.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitOK      = 0
	exitDenied  = 1 // denied, or invalid
	exitUsage   = 2 // the command was used wrongly or could not do its work
	exitUnknown = 3 // it cannot be decided (503)
)

// exit ends a command with a code; its message was printed already if err is
// nil.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is main without the process, for tests of the real commands.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "agentauth",
		Short:         "Authentication and authorization for the APIs of AI agents",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(serveCommand(), checkCommand(), diffCommand(), validateCommand(), tokenCommand(), keyCommand(), revokeCommand(), hashCommand(), auditCommand(), versionCommand(), completionCommand())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage("%s", flagError(cmd, err)) })

	err := root.ExecuteContext(context.Background())
	if err == nil {
		return exitOK
	}
	if message := err.Error(); message != "" {
		fmt.Fprintf(stderr, "agentauth: %s\n", message)
	}
	var e exit
	if errors.As(err, &e) {
		return e.code
	}
	return exitUsage
}

// usage is an error of whoever typed the command.
func usage(format string, args ...any) error {
	return exit{code: exitUsage, err: fmt.Errorf(format, args...)}
}
