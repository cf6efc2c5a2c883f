package main

import (
	"crypto"
	"encoding/json"
	"os"

	"github.com/go-jose/go-jose/v4"
	"github.com/spf13/cobra"
)

// tokenJWKSCommand prints the key set that verifies what `agentauth token` mints, for
// check --jwks and jwks.inline.
func tokenJWKSCommand() *cobra.Command {
	var keys, kids []string
	cmd := &cobra.Command{
		Use:   "jwks --key FILE...",
		Short: "Print the key set that verifies tokens",
		Long: `Prints a JWK Set of the public halves of private keys: what check --jwks and a
policy's jwks take, to verify tokens that are minted with these keys.`,
		Example: `  agentauth token jwks --key ec.pem --kid 2027-01
  agentauth token jwks --key ec.pem --key ed.pem`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("token jwks takes no arguments, came %q; for a key write --key %s", args[0], args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := publicSet(keys, kids)
			if err != nil {
				return err
			}
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(set)
		},
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, "file with a private key in PEM (repeatable)")
	cmd.Flags().StringArrayVar(&kids, "kid", nil, "key id of the key, in the order of --key (repeatable)")
	return cmd
}

func publicSet(keys, kids []string) (*jose.JSONWebKeySet, error) {
	if len(keys) == 0 {
		return nil, usage("token jwks needs --key FILE, a private key in PEM")
	}
	if len(kids) > len(keys) {
		return nil, usage("--kid: expected at most one for each --key, came %d for %s", len(kids), counted(len(keys), "key"))
	}
	set := &jose.JSONWebKeySet{}
	for i, file := range keys {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, usage("--key: %v", err)
		}
		private, err := parsePrivateKey(data)
		if err != nil {
			return nil, usage("--key %s: %v", file, err)
		}
		signer, ok := private.(crypto.Signer)
		if !ok || algorithmOf(private) == "" {
			return nil, usage("--key %s: expected a key of RSA, P-256, P-384, P-521 or Ed25519", file)
		}
		key := jose.JSONWebKey{Key: signer.Public(), Use: "sig"}
		if alg := algorithmOf(private); alg != "RS256" { // a key of RSA has several
			key.Algorithm = alg
		}
		if i < len(kids) {
			key.KeyID = kids[i]
		}
		set.Keys = append(set.Keys, key)
	}
	return set, nil
}
