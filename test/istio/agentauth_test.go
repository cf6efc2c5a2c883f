//go:build e2e && linux

package istio

import (
	"context"
	"net"
	"os"
	"path/filepath"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// startAgentauth starts one at the door that the ingress knows, which is certified by an authority of its own.
func (s *stage) startAgentauth(ctx context.Context) error {
	agentauth, err := parts.StartAgentauth(ctx, parts.AgentauthConfig{Dir: s.Dir, Binary: s.binary, Args: append([]string{
		"--kubeconfig", s.account, "--grpc-address", net.JoinHostPort(parts.PrivateAddress, s.words["@DOOR@"]),
		"--trust-principal", "--trust-xfcc", // Istio has its proxies write both
		"--egress-allow-http", "--egress-allow-cidr", "127.0.0.0/8", // the provider
	}, s.door.Args...)})
	if err == nil {
		s.agentauth = agentauth
	}
	return err
}

// startOthers starts those at the doors agentauth-mesh, with the certificates of the mesh, and agentauth-sidecar, which
// only its sidecar reaches.
func (s *stage) startOthers(ctx context.Context) error {
	file := func(name string) string { return filepath.Join(s.Dir, name) }
	for name, args := range map[string][]string{
		"mesh": {
			"--grpc-address", net.JoinHostPort(parts.PrivateAddress, s.words["@MESHDOOR@"]),
			"--tls-cert", file("cert-chain.pem"), "--tls-key", file("key.pem"), "--client-ca", file("root-cert.pem"),
			"--client-name", "spiffe://cluster.local/ns/gateways/sa/gateway",
		},
		"sidecar": {"--grpc-address", net.JoinHostPort("127.0.0.1", s.words["@LOOPBACKDOOR@"])},
	} {
		if err := os.Mkdir(file(name), 0o700); err != nil {
			return err
		}
		agentauth, err := parts.StartAgentauth(ctx, parts.AgentauthConfig{
			Dir: file(name), Binary: s.binary, Args: append(args, "--kubeconfig", s.account, "--trust-principal"),
		})
		if err != nil {
			return err
		}
		s.Ends(agentauth.Stop)
	}
	return nil
}
