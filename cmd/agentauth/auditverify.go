package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/telemetry/audit"
)

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Verify files of the audit stream",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q for \"agentauth audit\"; expected verify", args[0])
			}
			return usage("audit needs a command: verify FILE…")
		},
	}
	cmd.AddCommand(auditVerifyCommand())
	return cmd
}

func auditVerifyCommand() *cobra.Command {
	var anchors []string
	var unordered bool
	cmd := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Find lines that were changed, removed, added or moved",
		Long: `Verifies that the lines of audit files are those that were written, in their order:
each has the digest of the line before it. Several files are given the oldest first; - is
the standard input.

Nobody can see in a file alone that lines at its end are gone, or that all of it was
written anew. So agentauth says now and then in its log where the chain is; give such a
place as --anchor, and the line must be there.

A collector (--audit-otlp-endpoint) keeps the lines of many processes, in any order and
some of them twice: --unordered takes them so.`,
		Example: `  agentauth audit verify audit.log
  agentauth audit verify audit-2026-11-28T00-00-00.000.log audit.log --anchor 4711:9f86d081884c7d65…
  agentauth audit verify --unordered exported.log`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("audit verify needs the files to verify, the oldest first")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := parseAnchors(anchors)
			if err != nil {
				return err
			}
			if unordered {
				return verifyUnordered(cmd, args, list)
			}
			wanted, err := ofOneChain(list)
			if err != nil {
				return err
			}
			return verifyFiles(cmd, args, wanted)
		},
	}
	cmd.Flags().StringArrayVar(&anchors, "anchor", nil, "SEQ:HASH of a line that must be there, as the log of agentauth says it (repeatable)")
	cmd.Flags().BoolVar(&unordered, "unordered", false, "the lines are of several processes and in any order, as a collector keeps them; each chain is there from its first line on")
	return cmd
}

// anchor is a line that must be there.
type anchor struct {
	seq  uint64
	hash string
}

// parseAnchors reads the lines that must be there.
func parseAnchors(texts []string) (list []anchor, _ error) {
	for _, text := range texts {
		number, hash, _ := strings.Cut(text, ":")
		seq, err := strconv.ParseUint(number, 10, 64)
		if err != nil || len(hash) != 64 || strings.Trim(hash, "0123456789abcdef") != "" {
			return nil, usage("--anchor %q: expected the number of a line and its SHA-256 in 64 hexadecimal digits, as in 4711:9f86…", text)
		}
		list = append(list, anchor{seq, hash})
	}
	return list, nil
}

// ofOneChain are anchors by number: in one chain a line has one hash.
func ofOneChain(list []anchor) (map[uint64]string, error) {
	out := map[uint64]string{}
	for _, a := range list {
		if other, ok := out[a.seq]; ok && other != a.hash {
			return nil, usage("--anchor: expected one hash for line %d, got two", a.seq)
		}
		out[a.seq] = a.hash
	}
	return out, nil
}

// eachFile hands files to a verification; "-" is the standard input.
func eachFile(cmd *cobra.Command, files []string, verify func(name string, r io.Reader) error) error {
	for _, name := range files {
		f := io.NopCloser(cmd.InOrStdin())
		if name != "-" {
			opened, err := os.Open(name)
			if err != nil {
				return usage("%v", err)
			}
			f = opened
		}
		err := verify(name, f)
		_ = f.Close() // it was only read
		if unreadable := (*fs.PathError)(nil); errors.As(err, &unreadable) {
			return usage("%v", unreadable)
		}
		if err != nil {
			return exit{exitDenied, fmt.Errorf("%s: %w", name, err)}
		}
	}
	return nil
}

func noLines(files []string) error {
	return exit{exitDenied, fmt.Errorf("expected audit records in %s, and there are none: agentauth writes one when it starts, so the lines are gone", strings.Join(files, ", "))}
}

func verifyFiles(cmd *cobra.Command, files []string, anchors map[uint64]string) error {
	v := audit.Verifier{Anchors: anchors}
	behind := ""
	if err := eachFile(cmd, files, func(name string, r io.Reader) error {
		err := v.File(r)
		if broken := (*audit.BrokenError)(nil); behind != "" && errors.As(err, &broken) && broken.Line == 1 {
			err = fmt.Errorf("%w; or it does not follow %s: give each file once, the oldest first", err, behind)
		}
		behind = name
		return err
	}); err != nil {
		return err
	}
	if err := v.End(); err != nil {
		return exit{exitDenied, fmt.Errorf("%s: %w", files[len(files)-1], err)}
	}
	if v.Lines == 0 {
		return noLines(files)
	}
	if missing := v.NotSeen(); len(missing) > 0 {
		return exit{exitDenied, fmt.Errorf("expected the lines %v of --anchor, and the last one here is %d: lines are missing at the end or the beginning", missing, v.Seq)}
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%d lines are as they were written: %d to %d\n", v.Lines, v.First, v.Seq)
	if !v.Begun {
		fmt.Fprintf(out, "the lines before %d are in files that are not here\n", v.First)
	}
	if v.Missing > 0 {
		fmt.Fprintf(out, "%d records were lost before they were written, as the stream itself says\n", v.Missing)
	}
	if v.Torn > 0 {
		fmt.Fprintf(out, "%d lines were cut when a process ended\n", v.Torn)
	}
	fmt.Fprintf(out, "the last line is %d:%s\n", v.Seq, v.Hash)
	return nil
}
