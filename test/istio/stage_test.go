//go:build e2e && linux

package istio

import (
	"context"
	"os"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// theStage is what all tests share.
var theStage = &stage{}

// stage is a cluster with the objects of testdata, istiod, its proxies, agentauth, an OpenID provider and an upstream.
type stage struct {
	*parts.Run
	cluster   *parts.Cluster
	istiod    *parts.Istiod
	ingress   *parts.IstioAgent
	provider  *parts.OIDC
	upstream  *parts.Upstream
	binary    string
	account   string // kubeconfig of agentauth's ServiceAccount
	words     parts.Words
	agentauth *parts.Agentauth // at the Service agentauth
	door      parts.CertifiedDoor

	listeners           // of the ingress
	alone     listeners // of the ingress without an agent
	partners  parts.Way // its listener that wants certificates
	gateway   parts.Way // the Gateway of Gateway API
}

// listeners are ways to an ingress.
type listeners struct{ http, https parts.Way }

// ingresses are those that decide in the same way: Istio configures one through its agent, the other one alone.
func (s *stage) ingresses() map[string]listeners {
	return map[string]listeners{"with an agent": s.listeners, "without an agent": s.alone}
}

func (s *stage) start(ctx context.Context, run *parts.Run) (err error) {
	s.Run = run
	if s.binary, err = parts.Build(ctx, s.Dir); err != nil {
		return err
	}
	if s.upstream, err = parts.StartUpstreamOn("0.0.0.0:0"); err != nil {
		return err
	}
	s.Ends(s.upstream.Stop)
	if s.provider, err = parts.StartOIDC(ctx, parts.OIDCConfig{Dir: s.Dir}); err != nil {
		return err
	}
	s.Ends(s.provider.Stop)
	if s.cluster, err = parts.StartCluster(ctx, s.Dir); err != nil {
		return err
	}
	s.Ends(s.cluster.Stop)
	if s.account, err = s.cluster.InstallAgentauth(ctx); err != nil {
		return err
	}
	if s.istiod, err = parts.StartIstiod(ctx, s.Dir, s.cluster, "testdata/mesh.yaml"); err != nil {
		return err
	}
	s.Ends(s.istiod.Stop)
	return s.open(ctx)
}

// files are those of testdata with what is applied before the tests, namespaces first.
var files = []string{"policies.yaml", "istio.yaml", "plain.yaml", "doors.yaml", "workload.yaml", "gateway-api.yaml"}

// open applies what is in testdata, and starts the agentauths and the proxies.
func (s *stage) open(ctx context.Context) (err error) {
	if s.words, err = parts.NewWords(map[string]string{"@UPSTREAM@": s.upstream.Address}, "@DOOR@", "@HTTP@", "@HTTPS@", "@PARTNERS@",
		"@MESHDOOR@", "@SIDECARDOOR@", "@LOOPBACKDOOR@", "@SIDECAR@", "@GATEWAY@", "@PLAINHTTP@", "@PLAINHTTPS@"); err != nil {
		return err
	}
	s.words["@ISSUER@"] = s.provider.Issuer
	if s.door, err = parts.NewCertifiedDoor(s.Dir, "ingress.gateways.example.test"); err != nil {
		return err
	}
	ca := s.door.CA
	public, err := ca.Server()
	if err != nil {
		return err
	}
	plaintext := func(port string) parts.Way { return parts.NewWay("http://localhost:"+s.words[port], nil) }
	s.http, s.alone.http, s.gateway = plaintext("@HTTP@"), plaintext("@PLAINHTTP@"), plaintext("@GATEWAY@")
	encrypted := func(port string) parts.Way { return parts.NewWay("https://localhost:"+s.words[port], ca.HTTPClient()) }
	s.https, s.alone.https, s.partners = encrypted("@HTTPS@"), encrypted("@PLAINHTTPS@"), encrypted("@PARTNERS@")
	objects, err := s.words.Read(os.DirFS("testdata"), files...)
	if err != nil {
		return err
	}
	for _, namespace := range []string{"gateways", "plain"} {
		objects += "\n" + ca.Secret(namespace, "public", public) + ca.Secret(namespace, "partners", public) + ca.Secret(namespace, "door-client", s.door.Proxy)
	}
	objects += ca.LabelledConfigMap("shop", "partners-ca")
	if _, err := s.cluster.Kubectl(ctx, objects, "apply", "-f", "-"); err != nil {
		return err
	}
	if err := s.startAgentauth(ctx); err != nil {
		return err
	}
	s.Ends(func() error { return s.agentauth.Stop() }) // the one that runs then
	for _, config := range []parts.IstioAgentConfig{
		{Mode: "sidecar", Namespace: "agentauth-system", Account: "agentauth", Address: "10.10.0.5", OutputCerts: s.Dir,
			Labels: map[string]string{"app.kubernetes.io/name": "agentauth"}},
		{Mode: "sidecar", Namespace: "shop", Account: "orders", Address: "10.10.0.3", Labels: map[string]string{"app": "orders"}},
		{Mode: "router", Namespace: "gateways", Account: "gateway", Address: "10.10.0.4", Labels: map[string]string{
			"app": "gateway", "gateway.networking.k8s.io/gateway-name": "public"}},
	} {
		config.Dir = s.Dir
		agent, err := s.istiod.StartAgent(ctx, config)
		if err != nil {
			return err
		}
		s.Ends(agent.Stop)
	}
	if err := s.startOthers(ctx); err != nil {
		return err
	}
	plain, err := s.istiod.StartEnvoy(ctx, parts.IstioAgentConfig{
		Dir: s.Dir, Namespace: "plain", Account: "ingress", Address: "10.10.0.6", Labels: map[string]string{"istio": "plain"},
	})
	if err != nil {
		return err
	}
	s.Ends(plain.Stop)
	if err := s.startIngress(ctx); err != nil {
		return err
	}
	s.Ends(func() error { return s.ingress.Stop() })
	return nil
}

func (s *stage) startIngress(ctx context.Context) error {
	ingress, err := s.istiod.StartAgent(ctx, parts.IstioAgentConfig{
		Dir: s.Dir, Mode: "router", Namespace: "gateways", Account: "ingress", Address: "10.10.0.2", Labels: map[string]string{"istio": "ingress"},
	})
	if err == nil {
		s.ingress = ingress
	}
	return err
}

func (s *stage) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := s.cluster.Kubectl(t.Context(), stdin, args...)
	parts.Must(t, err)
	return out
}
