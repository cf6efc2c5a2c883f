//go:build e2e && linux

package istio

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// theStage is what all tests share.
var theStage *stage

// stage is a cluster with the objects of testdata, istiod, its proxies, agentauth, an OpenID provider and an upstream.
type stage struct {
	dir       string
	cluster   *parts.Cluster
	istiod    *parts.Istiod
	agents    []*parts.IstioAgent // but the ingress's
	ingress   *parts.IstioAgent
	plain     *parts.IstioEnvoy // the ingress without an agent
	provider  *parts.OIDC
	upstream  *parts.Upstream
	binary    string
	account   string            // kubeconfig of agentauth's ServiceAccount
	words     map[string]string // what @WORD@ stands for in testdata
	agentauth *parts.Agentauth  // at the Service agentauth
	others    []*parts.Agentauth
	ca        *parts.CA

	listeners           // of the ingress
	alone     listeners // of the ingress without an agent
	partners  string    // URL of its listener that wants certificates
	gateway   parts.Way // the Gateway of Gateway API
}

// listeners are ways to an ingress.
type listeners struct{ http, https parts.Way }

// ingresses are those that decide in the same way: Istio configures one through its agent, the other one alone.
func (s *stage) ingresses() map[string]listeners {
	return map[string]listeners{"with an agent": s.listeners, "without an agent": s.alone}
}

func (s *stage) start(ctx context.Context) (err error) {
	if s.binary, err = parts.Build(ctx, s.dir); err != nil {
		return err
	}
	if s.upstream, err = parts.StartUpstreamOn("0.0.0.0:0"); err != nil {
		return err
	}
	if s.provider, err = parts.StartOIDC(ctx, parts.OIDCConfig{Dir: s.dir}); err != nil {
		return err
	}
	if s.cluster, err = parts.StartCluster(ctx, s.dir); err != nil {
		return err
	}
	root, err := parts.Root()
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"apply", "--server-side", "-f", filepath.Join(root, "config", "crd", "agentauth.dev_agentauthpolicies.yaml")},
		{"create", "namespace", "agentauth-system"},
		{"apply", "-f", filepath.Join(root, "config", "rbac", "rbac.yaml")},
	} {
		if _, err = s.cluster.Kubectl(ctx, "", args...); err != nil {
			return err
		}
	}
	if s.account, err = s.cluster.AccountKubeconfig(ctx, "agentauth-system", "agentauth"); err != nil {
		return err
	}
	if s.istiod, err = parts.StartIstiod(ctx, s.dir, s.cluster, "testdata/mesh.yaml"); err != nil {
		return err
	}
	return s.open(ctx)
}

// open applies what is in testdata, and starts the agentauths and the proxies.
func (s *stage) open(ctx context.Context) error {
	if err := s.choose(); err != nil {
		return err
	}
	objects, err := s.certificates()
	if err != nil {
		return err
	}
	s.http = parts.NewWay("http://localhost:"+s.words["@HTTP@"], nil)
	s.https = parts.NewWay("https://localhost:"+s.words["@HTTPS@"], s.ca.HTTPClient())
	s.alone.http = parts.NewWay("http://localhost:"+s.words["@PLAINHTTP@"], nil)
	s.alone.https = parts.NewWay("https://localhost:"+s.words["@PLAINHTTPS@"], s.ca.HTTPClient())
	s.partners = "https://localhost:" + s.words["@PARTNERS@"]
	s.gateway = parts.NewWay("http://localhost:"+s.words["@GATEWAY@"], nil)
	for _, file := range []string{"gateway-api.yaml", "workload.yaml", "doors.yaml", "plain.yaml", "istio.yaml", "policies.yaml"} {
		text, err := s.testdata(file)
		if err != nil {
			return err
		}
		objects = text + "\n---\n" + objects // namespaces first
	}
	if _, err := s.cluster.Kubectl(ctx, objects, "apply", "-f", "-"); err != nil {
		return err
	}
	if err := s.startAgentauth(ctx); err != nil {
		return err
	}
	for _, config := range []parts.IstioAgentConfig{
		{Mode: "sidecar", Namespace: "agentauth-system", Account: "agentauth", Address: "10.10.0.5", OutputCerts: s.dir,
			Labels: map[string]string{"app.kubernetes.io/name": "agentauth"}},
		{Mode: "sidecar", Namespace: "shop", Account: "orders", Address: "10.10.0.3", Labels: map[string]string{"app": "orders"}},
		{Mode: "router", Namespace: "gateways", Account: "gateway", Address: "10.10.0.4", Labels: map[string]string{
			"app": "gateway", "gateway.networking.k8s.io/gateway-name": "public"}},
	} {
		config.Dir = s.dir
		agent, err := s.istiod.StartAgent(ctx, config)
		if err != nil {
			return err
		}
		s.agents = append(s.agents, agent)
	}
	if err := s.startOthers(ctx); err != nil {
		return err
	}
	if s.plain, err = s.istiod.StartEnvoy(ctx, parts.IstioAgentConfig{
		Dir: s.dir, Namespace: "plain", Account: "ingress", Address: "10.10.0.6", Labels: map[string]string{"istio": "plain"},
	}); err != nil {
		return err
	}
	return s.startIngress(ctx)
}

func (s *stage) startIngress(ctx context.Context) (err error) {
	s.ingress, err = s.istiod.StartAgent(ctx, parts.IstioAgentConfig{
		Dir: s.dir, Mode: "router", Namespace: "gateways", Account: "ingress", Address: "10.10.0.2", Labels: map[string]string{"istio": "ingress"},
	})
	return err
}

// choose finds ports.
func (s *stage) choose() (err error) {
	s.words = map[string]string{"@ISSUER@": s.provider.Issuer}
	for _, name := range []string{"@DOOR@", "@HTTP@", "@HTTPS@", "@PARTNERS@", "@MESHDOOR@", "@SIDECARDOOR@", "@LOOPBACKDOOR@", "@SIDECAR@", "@GATEWAY@", "@PLAINHTTP@", "@PLAINHTTPS@"} {
		port, err := parts.FreePort()
		if err != nil {
			return err
		}
		s.words[name] = strconv.Itoa(port)
	}
	_, s.words["@UPSTREAM@"], err = net.SplitHostPort(s.upstream.Address)
	return err
}

// testdata is a file with its words replaced.
func (s *stage) testdata(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join("testdata", name))
	text := string(content)
	for word, meaning := range s.words {
		text = strings.ReplaceAll(text, word, meaning)
	}
	return text, err
}

// stop ends what was started, the proxies before what they ask.
func (s *stage) stop() error {
	var failed error
	for _, agent := range append(s.agents, s.ingress) {
		if agent == nil {
			continue
		}
		failed = errors.Join(failed, agent.Stop())
	}
	if s.plain != nil {
		failed = errors.Join(failed, s.plain.Stop())
	}
	for _, agentauth := range append(s.others, s.agentauth) {
		if agentauth == nil {
			continue
		}
		failed = errors.Join(failed, agentauth.Stop())
	}
	if s.istiod != nil {
		failed = errors.Join(failed, s.istiod.Stop())
	}
	if s.cluster != nil {
		failed = errors.Join(failed, s.cluster.Stop())
	}
	if s.provider != nil {
		failed = errors.Join(failed, s.provider.Stop())
	}
	if s.upstream != nil {
		failed = errors.Join(failed, s.upstream.Stop())
	}
	return failed
}

func (s *stage) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := s.cluster.Kubectl(t.Context(), stdin, args...)
	must(t, err)
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
