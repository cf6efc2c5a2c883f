package main

import (
	"github.com/spf13/cobra"

	"github.com/agentauth-dev/agentauth/authz/engine"
)

// trustFlags say what proxies are believed of the clients of their connections, and of
// the bodies that they read.
type trustFlags struct{ principal, xfcc, mcp bool }

func (f *trustFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.principal, "trust-principal", false,
		"policies may believe the name of a client that the proxy says it verified: every proxy verifies client certificates to authorities that you trust, or asks for none")
	cmd.Flags().BoolVar(&f.xfcc, "trust-xfcc", false,
		"policies may believe the last element of x-forwarded-client-cert: every proxy writes it, and none forwards a caller's own")
	cmd.Flags().BoolVar(&f.mcp, "trust-mcp-metadata", false,
		"take the word of Envoy's mcp filter for a message whose body is not handed on: that filter must read whole bodies, and refuse what is no MCP and names that occur twice")
}

func (f *trustFlags) add(to *engine.Options) {
	to.TrustPrincipal, to.TrustXFCC, to.TrustMCPMetadata = f.principal, f.xfcc, f.mcp
}
