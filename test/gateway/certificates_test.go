//go:build e2e && linux

package gateway

import (
	"fmt"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// certificates writes the files of agentauth's door, and returns the objects with those of the Gateway.
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
	public, err := ca.Server("health.example.test")
	if err != nil {
		return "", err
	}
	proxy, err := ca.Issue(parts.Leaf{DNSNames: []string{proxyName}})
	if err != nil {
		return "", err
	}
	objects := ""
	for name, namespace := range map[string]string{"door-ca": "agentauth-system", "partners-ca": "gateways"} {
		objects += fmt.Sprintf("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: %s}, data: {ca.crt: %q}}\n", name, namespace, ca.PEM)
	}
	for name, pair := range map[string]parts.Pair{"door-client": proxy, "public": public} {
		objects += fmt.Sprintf("---\n{apiVersion: v1, kind: Secret, type: kubernetes.io/tls, metadata: {name: %s, namespace: gateways}, stringData: {tls.crt: %q, tls.key: %q}}\n", name, pair.Cert, pair.Key)
	}
	return objects, nil
}

// proxyName is in the certificate that the Gateway's Envoy shows at the door.
const proxyName = "envoy.gateways.example.test"
