//go:build e2e

package chart

import (
	"crypto/tls"
	"fmt"
	"testing"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// Every argument that can be rendered is one that agentauth takes, and the files of the pod are where the arguments
// say: the door opens for the named and for nobody else.
func TestTheDoorOfARenderedPodOpensForClientsThatWereNamed(t *testing.T) {
	namespaces(t, "agentauth-system", "shop", "bank")
	useCRD(t)
	ca, err := parts.NewCA("of the mesh")
	must(t, err)
	server, err := ca.Server("agentauth.agentauth-system.svc")
	must(t, err)
	certificates := map[string][]byte{"tls.crt": server.Cert, "tls.key": server.Key, "ca.crt": ca.PEM}
	contents := map[string]map[string][]byte{
		"secret door": certificates, "secret agentauth-door": certificates,
		"configMap roots": {"roots.pem": ca.PEM},
	}
	for _, c := range []struct{ values, named string }{
		{"door: {tls: {secretName: door, clientNames: ['spiffe://mesh.example/gateway']}}", "spiffe://mesh.example/gateway"},
		{everything, "spiffe://mesh.example/gateway"},
	} {
		out, err := render(t, c.values)
		must(t, err)
		d := find(t, objects(t, out), "Deployment", "")
		a, err := agentauth(t, useCluster(t).Kubeconfig, d, volume(t, d, contents))
		must(t, err)
		parts.Within(t, 20*time.Second, func() error { return ready(t, a) })
		if err := knock(t, a, ca, c.named); err != nil {
			t.Errorf("%s: %v", c.named, err)
		}
		if err := knock(t, a, ca, "spiffe://mesh.example/other"); err == nil {
			t.Error("expected a client that was not named to be refused")
		}
	}
}

// knock makes a TLS connection and waits for the HTTP/2 settings of the door.
func knock(t *testing.T, a *parts.Agentauth, ca *parts.CA, name string) error {
	t.Helper()
	client, err := ca.Client(name)
	must(t, err)
	pair, err := tls.X509KeyPair(client.Cert, client.Key)
	must(t, err)
	dialer := tls.Dialer{Config: &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: ca.Pool(), Certificates: []tls.Certificate{pair},
		ServerName: "agentauth.agentauth-system.svc", NextProtos: []string{"h2"},
	}}
	conn, err := dialer.DialContext(t.Context(), "tcp", a.GRPCAddress)
	if err != nil {
		return err
	}
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	if n, err := conn.Read(make([]byte, 9)); err != nil || n == 0 {
		return fmt.Errorf("expected HTTP/2 settings, got %d bytes, %w", n, err)
	}
	return nil
}
