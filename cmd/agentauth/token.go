package main

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/spf13/cobra"
)

type tokenFlags struct {
	hmac, key, alg, kid, typ string
	claims                   []string
	ttl                      time.Duration
}

func tokenCommand() *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use:   "token (--hmac FILE | --key FILE)",
		Short: "Mint a token for tests",
		Long: `Mints a signed JWT with iat and exp, and prints it. The key is a shared secret
(--hmac, of whose file one trailing line break is dropped) or a private key in PEM
(--key). The value of a claim is JSON if it parses as JSON, else a string.`,
		Example: `  agentauth token --hmac secret.txt --claim sub=agent-7 --claim 'roles=["manager"]'
  agentauth token --key ec.pem --kid 2027-01 --claim iss=https://idp.example.com --claim aud=https://orders.example.com`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("token takes no arguments, came %q; a claim is --claim NAME=VALUE", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (f.hmac == "") == (f.key == "") {
				return usage("token needs one key: --hmac FILE for a shared secret, or --key FILE for a private key")
			}
			token, err := f.mint(time.Now())
			if err != nil {
				return exit{exitUsage, err}
			}
			fmt.Fprintln(cmd.OutOrStdout(), token)
			return nil
		},
	}
	cmd.Flags().StringVar(&f.hmac, "hmac", "", "file with the shared secret")
	cmd.Flags().StringVar(&f.key, "key", "", "file with the private key in PEM (RSA, P-256, P-384, P-521 or Ed25519)")
	cmd.Flags().StringVar(&f.alg, "alg", "", "signature algorithm (default: HS256 with --hmac, else what fits the key: RS256, ES256, ES384, ES512, EdDSA)")
	cmd.Flags().StringVar(&f.kid, "kid", "", "key id for the header")
	cmd.Flags().StringArrayVar(&f.claims, "claim", nil, "a claim as NAME=VALUE (repeatable)")
	cmd.Flags().DurationVar(&f.ttl, "ttl", 5*time.Minute, "how long the token is valid")
	cmd.Flags().StringVar(&f.typ, "typ", "JWT", "type for the header, as at+jwt")
	oneOf(cmd, "alg", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
	oneOf(cmd, "typ", "JWT", "at+jwt")
	cmd.AddCommand(tokenJWKSCommand())
	return cmd
}

// secretBytes is the shortest secret of an algorithm.
var secretBytes = map[jose.SignatureAlgorithm]int{jose.HS256: 32, jose.HS384: 48, jose.HS512: 64}

func (f *tokenFlags) mint(now time.Time) (string, error) {
	key, alg, err := f.signingKey()
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(f.typ))
	if f.kid != "" {
		options = options.WithHeader("kid", f.kid)
	}
	if secret, ok := key.([]byte); ok && len(secret) < secretBytes[alg] {
		return "", fmt.Errorf("--hmac: expected a secret of at least %d bytes for %s (RFC 7518 section 3.2), came %d", secretBytes[alg], alg, len(secret))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		return "", fmt.Errorf("cannot sign with %s and this key: %w", alg, err)
	}
	claims := map[string]any{"iat": now.Unix(), "exp": now.Add(f.ttl).Unix()}
	for _, c := range f.claims {
		name, value, ok := strings.Cut(c, "=")
		if !ok || name == "" {
			return "", fmt.Errorf("--claim %q: expected NAME=VALUE", c)
		}
		if json.Valid([]byte(value)) {
			claims[name] = json.RawMessage(value)
		} else {
			claims[name] = value
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("cannot sign with %s and this key: %w", alg, err)
	}
	return signed.CompactSerialize()
}

func (f *tokenFlags) signingKey() (key any, alg jose.SignatureAlgorithm, err error) {
	if f.hmac != "" {
		secret, err := os.ReadFile(f.hmac)
		if err != nil {
			return nil, "", fmt.Errorf("--hmac: %w", err)
		}
		if secret = trimLine(secret); len(secret) == 0 {
			return nil, "", fmt.Errorf("%s: expected a secret, and it is empty", f.hmac)
		}
		return secret, jose.SignatureAlgorithm(cmp.Or(f.alg, "HS256")), nil
	}
	data, err := os.ReadFile(f.key)
	if err != nil {
		return nil, "", fmt.Errorf("--key: %w", err)
	}
	private, err := parsePrivateKey(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", f.key, err)
	}
	return private, jose.SignatureAlgorithm(cmp.Or(f.alg, algorithmOf(private))), nil
}

func parsePrivateKey(data []byte) (crypto.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("expected a private key in PEM")
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
		return nil, errors.New("the private key is encrypted: write it without a password, as by openssl pkey -in FILE -out PLAIN")
	}
	switch block.Type {
	case "PRIVATE KEY":
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	}
	return nil, fmt.Errorf("expected a private key in PEM, and came %q", block.Type)
}

func algorithmOf(key crypto.PrivateKey) string {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return "RS256"
	case *ecdsa.PrivateKey:
		switch k.Curve.Params().BitSize {
		case 384:
			return "ES384"
		case 521:
			return "ES512"
		}
		return "ES256"
	case ed25519.PrivateKey:
		return "EdDSA"
	}
	return ""
}
