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

	// Of the Gateway whose policies have targetRefs. The blind one does not tell which route it took.
	teams, teamsTLS, blind, internal way
	health                           *health
}

func (s *stage) start(ctx context.Context) (err error) {
	if s.binary, err = parts.Build(ctx, s.dir); err != nil {
		return err
	}
	if s.upstream, err = parts.StartUpstream(); err != nil {
		return err
	}
	if s.health, err = startHealth(); err != nil {
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
	for _, name := range []string{"@DOOR@", "@HTTP@", "@HTTPS@", "@PARTNERS@", "@TEAMS@", "@TEAMSTLS@", "@BLIND@", "@INTERNAL@"} {
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
	plaintext := func(port string) way {
		return way{"http://localhost:" + ports[port], plain(&http.Client{Transport: &http.Transport{}})}
	}
	s.http, s.teams, s.blind, s.internal = plaintext("@HTTP@"), plaintext("@TEAMS@"), plaintext("@BLIND@"), plaintext("@INTERNAL@")
	s.https = way{"https://localhost:" + ports["@HTTPS@"], plain(s.ca.HTTPClient())}
	s.teamsTLS = way{"https://localhost:" + ports["@TEAMSTLS@"], plain(s.ca.HTTPClient())}
	s.partners = "https://localhost:" + ports["@PARTNERS@"]
	if err := s.startAgentauth(ctx); err != nil {
		return err
	}
	for name, address := range map[string]string{"@UPSTREAM@": s.upstream.Address, "@HEALTH@": s.health.address} {
		if _, ports[name], err = net.SplitHostPort(address); err != nil {
			return err
		}
	}
	objects, err := manifests(ports, "policies", "gateway", "targets", "attached")
	if err != nil {
		return err
	}
	_, err = s.cluster.Kubectl(ctx, objects+material+keys(attached), "apply", "-f", "-")
	return err
}

// manifests are files of testdata with their ports.
func manifests(ports map[string]string, names ...string) (string, error) {
	objects := ""
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
		if err != nil {
			return "", err
		}
		objects += string(text) + "\n---\n"
	}
	for name, port := range ports {
		objects = strings.ReplaceAll(objects, name, port)
	}
	return objects, nil
}

// startAgentauth starts one at the door that the SecurityPolicies know.
func (s *stage) startAgentauth(ctx context.Context, more ...string) (err error) {
	file := func(name string) string { return filepath.Join(s.dir, name) }
	s.agentauth, err = parts.StartAgentauth(ctx, parts.AgentauthConfig{Dir: s.dir, Binary: s.binary, Args: append([]string{
		"--kubeconfig", s.account, "--grpc-address", s.door,
		"--tls-cert", file("door.crt"), "--tls-key", file("door.key"), "--client-ca", file("ca.crt"), "--client-name", proxyName,
	}, more...)})
	return err
}

// restartAgentauth has it run with other arguments for the length of a test.
func (s *stage) restartAgentauth(t *testing.T, more ...string) {
	t.Helper()
	restart := func(more ...string) {
		must(t, s.agentauth.Stop())
		must(t, s.startAgentauth(context.WithoutCancel(t.Context()), more...))
	}
	restart(more...)
	t.Cleanup(func() { restart() })
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
	if s.health != nil {
		s.health.server.Stop()
	}
	return failed
}

func (s *stage) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := s.cluster.Kubectl(t.Context(), stdin, args...)
	must(t, err)
	return out
}
