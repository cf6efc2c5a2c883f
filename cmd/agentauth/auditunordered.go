package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

// verifyUnordered verifies what a collector keeps.
func verifyUnordered(cmd *cobra.Command, files []string, anchors []anchor) error {
	var u audit.Unordered
	if err := eachFile(cmd, files, u.File); err != nil {
		return err
	}
	if err := u.End(); err != nil {
		return exit{exitDenied, err}
	}
	if len(u.Chains) == 0 {
		return noLines(files)
	}
	for _, a := range anchors {
		if !u.Has(a.seq, a.hash) {
			return exit{exitDenied, fmt.Errorf("expected the line of --anchor %d:%s in a chain, and it is in none: lines are missing or were changed", a.seq, a.hash)}
		}
	}
	out := cmd.OutOrStdout()
	for _, c := range u.Chains {
		fmt.Fprintf(out, "%d lines of %s are as they were written\n", c.Lines, writer(c.Process))
		if c.Missing > 0 {
			fmt.Fprintf(out, "  %d records were lost before they were written, as the chain itself says\n", c.Missing)
		}
		if !c.Stopped {
			fmt.Fprintln(out, "  it has no end: the process still runs, was killed, or the last lines are gone")
		}
		fmt.Fprintf(out, "  the last line is %d:%s\n", c.Lines, c.Hash)
	}
	if u.Twice > 0 {
		fmt.Fprintf(out, "%d lines came twice\n", u.Twice)
	}
	if u.Beside > 0 {
		fmt.Fprintf(out, "%d lines are of records that a chain says are missing; nothing says that these are as they were written\n", u.Beside)
	}
	return nil
}

func writer(p *audit.Process) string {
	if p == nil {
		return "a process whose first record is missing"
	}
	return fmt.Sprintf("%q (pid %d)", p.Host, p.PID)
}
