//go:build e2e && linux

package gateway

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// theStage is what all tests share.
var theStage *stage

// stage is a cluster with the objects of testdata, the Envoy of its Gateway, agentauth and an upstream.
type stage struct {
	dir       string
	cluster   *parts.Cluster
	gateway   *parts.EnvoyGateway
	upstream  *parts.Upstream
	binary    string
	account   string // kubeconfig of agentauth's ServiceAccount
	door      string // address
	agentauth *parts.Agentauth
	ca        *parts.CA

	http, https way
	partners    string // URL of the listener that wants certificates
}

func (s *stage) start(ctx context.Context) (err error) {
	if s.binary, err = parts.Build(ctx, s.dir); err != nil {
		return err
	}
	if s.upstream, err = parts.StartUpstream(); err != nil {
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
		{"wait", "--for=condition=Established", "--timeout=30s", "crd/agentauthpolicies.agentauth.dev"},
	} {
		if _, err = s.cluster.Kubectl(ctx, "", args...); err != nil {
			return err
		}
	}
	if s.account, err = s.cluster.AccountKubeconfig(ctx, "agentauth-system", "agentauth"); err != nil {
		return err
	}
	if s.gateway, err = parts.StartEnvoyGateway(ctx, s.dir, s.cluster); err != nil {
		return err
	}
	return s.open(ctx)
}

// open starts agentauth and applies what is in testdata.
func (s *stage) open(ctx context.Context) error {
	ports := map[string]string{}
	for _, name := range []string{"@DOOR@", "@HTTP@", "@HTTPS@", "@PARTNERS@"} {
		port, err := parts.FreePort()
		if err != nil {
			return err
		}
		ports[name] = strconv.Itoa(port)
	}
	s.door = net.JoinHostPort(parts.PrivateAddress, ports["@DOOR@"])
	material, err := s.certificates()
	if err != nil {
		return err
	}
	s.http = way{"http://localhost:" + ports["@HTTP@"], plain(&http.Client{Transport: &http.Transport{}})}
	s.https = way{"https://localhost:" + ports["@HTTPS@"], plain(s.ca.HTTPClient())}
	s.partners = "https://localhost:" + ports["@PARTNERS@"]
	if err := s.startAgentauth(ctx); err != nil {
		return err
	}
	_, ports["@UPSTREAM@"], err = net.SplitHostPort(s.upstream.Address)
	if err != nil {
		return err
	}
	manifests, err := os.ReadFile("testdata/gateway.yaml")
	if err != nil {
		return err
	}
	policies, err := os.ReadFile("testdata/policies.yaml")
	if err != nil {
		return err
	}
	text := string(manifests)
	for name, port := range ports {
		text = strings.ReplaceAll(text, name, port)
	}
	for _, text := range []string{string(policies), text, material} {
		if _, err := s.cluster.Kubectl(ctx, text, "apply", "-f", "-"); err != nil {
			return err
		}
	}
	return nil
}

// startAgentauth starts one at the door that the SecurityPolicies know.
func (s *stage) startAgentauth(ctx context.Context) (err error) {
	file := func(name string) string { return filepath.Join(s.dir, name) }
	s.agentauth, err = parts.StartAgentauth(ctx, parts.AgentauthConfig{Dir: s.dir, Binary: s.binary, Args: []string{
		"--kubeconfig", s.account, "--grpc-address", s.door,
		"--tls-cert", file("door.crt"), "--tls-key", file("door.key"), "--client-ca", file("ca.crt"), "--client-name", proxyName,
	}})
	return err
}

func (s *stage) stop() error {
	var failed error
	if s.gateway != nil {
		failed = errors.Join(failed, s.gateway.Stop())
	}
	if s.agentauth != nil {
		failed = errors.Join(failed, s.agentauth.Stop())
	}
	if s.cluster != nil {
		failed = errors.Join(failed, s.cluster.Stop())
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
