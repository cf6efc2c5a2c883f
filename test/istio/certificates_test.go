//go:build e2e && linux

package istio

import (
	"fmt"
	"strings"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// proxyName is in the certificate that the ingress shows at the door.
const proxyName = "ingress.gateways.example.test"

// certificates writes the files of agentauth's door, and returns the Secrets of the ingresses.
func (s *stage) certificates() (string, error) {
	ca, err := parts.NewCA("test")
	if err != nil {
		return "", err
	}
	s.ca = ca
	door, err := ca.Server("agentauth.agentauth-system.svc")
	if err != nil {
		return "", err
	}
	if _, _, err := door.Write(s.dir, "door"); err != nil {
		return "", err
	}
	if _, err := ca.Write(s.dir, "ca"); err != nil {
		return "", err
	}
	public, err := ca.Server()
	if err != nil {
		return "", err
	}
	proxy, err := ca.Issue(parts.Leaf{DNSNames: []string{proxyName}})
	if err != nil {
		return "", err
	}
	var objects strings.Builder
	for name, pair := range map[string]parts.Pair{"public": public, "partners": public, "door-client": proxy} {
		for _, namespace := range []string{"gateways", "plain"} {
			fmt.Fprintf(&objects, "---\n{apiVersion: v1, kind: Secret, metadata: {name: %s, namespace: %s}, stringData: {tls.crt: %q, tls.key: %q, ca.crt: %q}}\n",
				name, namespace, pair.Cert, pair.Key, ca.PEM)
		}
	}
	return objects.String(), nil
}
