package main

import (
	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// trustFlags say what proxies are believed of the clients of their connections.
type trustFlags struct{ principal, xfcc bool }

func (f *trustFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.principal, "trust-principal", false,
		"policies may believe the name of a client that the proxy says it verified: every proxy verifies client certificates, or asks for none")
	cmd.Flags().BoolVar(&f.xfcc, "trust-xfcc", false,
		"policies may believe the last element of x-forwarded-client-cert: every proxy writes it, and none forwards a caller's own")
}

func (f *trustFlags) add(to *engine.Options) { to.TrustPrincipal, to.TrustXFCC = f.principal, f.xfcc }
