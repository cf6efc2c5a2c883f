//go:build e2e

package chart

import (
	"crypto/tls"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// Every argument that can be rendered is one that agentauth takes, and the files of the pod are where the arguments
// say: the door opens for the named and for nobody else.
func TestTheDoorOfARenderedPodOpensForClientsThatWereNamed(t *testing.T) {
	namespaces(t, "agentauth-system", "shop", "bank", "mounted")
	useCRD(t)
	ca, err := parts.NewCA("of the mesh")
	must(t, err)
	server, err := ca.Server("agentauth.agentauth-system.svc")
	must(t, err)
	material := fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: roots, namespace: mounted}, data: {roots.pem: %q}}\n", ca.PEM)
	for _, name := range []string{"door", "agentauth-door", "agentauth-webhook-tls"} {
		material += ca.Secret("mounted", name, server)
	}
	material += fmt.Sprintf("---\n{apiVersion: v1, kind: Secret, metadata: {name: redis, namespace: mounted}, stringData: {password: of-the-store, ca.crt: %q}}\n", ca.PEM)
	kubectl(t, material, "apply", "-f", "-")
	for _, c := range []struct{ values, named string }{
		{"door: {tls: {secretName: door, clientNames: ['spiffe://mesh.example/gateway']}}", "spiffe://mesh.example/gateway"},
		{everything, "spiffe://mesh.example/gateway"},
	} {
		out, err := render(t, c.values)
		must(t, err)
		var d appsv1.Deployment
		must(t, yaml.UnmarshalStrict([]byte(text(t, find(t, objects(t, out), "Deployment", ""))), &d))
		d.Namespace = "mounted" // the release of other tests is in its own
		a := agentauth(t, useCluster(t).Kubeconfig, &d)
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
