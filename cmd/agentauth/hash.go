package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/agentauth-dev/agentauth/authz/apikey"
	"github.com/agentauth-dev/agentauth/authz/password"
)

func hashCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "hash password|api-key",
		Short: "Turn a password or an API key into what a Secret wants",
		Long: `Reads a password or an API key from standard input, or asks for it on a
terminal, and prints what a Secret wants: a bcrypt hash for an htpasswd file, or
sha256:<hex> for an API key. One trailing line break of the input is dropped.`,
		Example: `  printf %s 'correct horse battery staple' | agentauth hash password
  openssl rand -hex 32 | agentauth hash api-key`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usage("hash: expected what to hash, password or api-key, as in agentauth hash password")
			case len(args) > 1:
				return usage("hash: expected password or api-key alone, got %d words; the secret comes on standard input, where no list of processes shows it", len(args))
			case args[0] != "password" && args[0] != "api-key":
				// The word is not repeated: it may be a password.
				return usage("hash: expected password (which makes a bcrypt hash) or api-key (which makes a sha256: digest), and another word came")
			}
			return nil
		},
		ValidArgs: []string{"password", "api-key"},
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := readSecret(cmd, args[0])
			if err != nil {
				return err
			}
			out, err := hashOf(args[0], secret)
			if err != nil {
				return exit{exitDenied, err}
			}
			fmt.Fprintln(cmd.OutOrStdout(), out)
			return nil
		},
	}
}

func hashOf(kind string, secret []byte) (string, error) {
	if kind == "password" {
		return password.Hash(secret)
	}
	if bytes.HasPrefix(secret, []byte("sha256:")) {
		return "", fmt.Errorf("expected an API key, and it is a digest already; put it into the Secret as it is")
	}
	digest, err := apikey.Hash(secret)
	if err != nil {
		return "", fmt.Errorf("not an API key: %w", err)
	}
	return digest, nil
}

// readSecret reads one secret: without echo from a terminal, else all input.
func readSecret(cmd *cobra.Command, kind string) ([]byte, error) {
	in := cmd.InOrStdin()
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: ", kind)
		secret, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		if err != nil {
			return nil, usage("cannot read the %s: %v", kind, err)
		}
		return secret, nil
	}
	const most = 64 << 10
	secret, err := io.ReadAll(io.LimitReader(bufio.NewReader(in), most+1))
	switch {
	case err != nil:
		return nil, usage("cannot read the %s: %v", kind, err)
	case len(secret) > most:
		return nil, usage("the %s on standard input is longer than 64 KiB", kind)
	}
	return trimLine(secret), nil
}

// trimLine drops one trailing line break.
func trimLine(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
}
