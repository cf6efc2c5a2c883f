//go:build e2e && linux

package gateway

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// theStage is what all tests share.
var theStage = &stage{}

// stage is a cluster with the objects of testdata, the Envoy of its Gateway, agentauth and an upstream.
type stage struct {
	*parts.Run
	cluster   *parts.Cluster
	gateway   *parts.EnvoyGateway
	upstream  *parts.Upstream
	binary    string
	account   string // kubeconfig of agentauth's ServiceAccount
	words     parts.Words
	agentauth *parts.Agentauth
	door      parts.CertifiedDoor

	http, https parts.Way
	partners    parts.Way // the listener that wants certificates

	// Of the Gateway whose policies have targetRefs. The blind one does not tell which route it took.
	teams, teamsTLS, blind, internal parts.Way
	health                           *health
	limits                           *parts.RateLimits
}

func (s *stage) start(ctx context.Context, run *parts.Run) (err error) {
	s.Run = run
	if s.binary, err = parts.Build(ctx, s.Dir); err != nil {
		return err
	}
	if s.upstream, err = parts.StartUpstream(); err != nil {
		return err
	}
	s.Ends(s.upstream.Stop)
	if s.health, err = startHealth(); err != nil {
		return err
	}
	s.Ends(func() error { s.health.server.Stop(); return nil })
	if s.cluster, err = parts.StartCluster(ctx, s.Dir); err != nil {
		return err
	}
	s.Ends(s.cluster.Stop)
	if s.account, err = s.cluster.InstallAgentauth(ctx); err != nil {
		return err
	}
	if s.gateway, err = parts.StartEnvoyGateway(ctx, s.Dir, s.cluster); err != nil {
		return err
	}
	s.Ends(func() error { return s.gateway.Stop() }) // the one that runs then
	if s.limits, err = parts.StartRateLimits(ctx, s.cluster); err != nil {
		return err
	}
	s.Ends(s.limits.Stop)
	return s.open(ctx)
}

// open starts agentauth and applies what is in testdata.
func (s *stage) open(ctx context.Context) (err error) {
	if s.words, err = parts.NewWords(map[string]string{"@UPSTREAM@": s.upstream.Address, "@HEALTH@": s.health.address},
		"@DOOR@", "@HTTP@", "@HTTPS@", "@PARTNERS@", "@TEAMS@", "@TEAMSTLS@", "@BLIND@", "@INTERNAL@"); err != nil {
		return err
	}
	s.words["@ACCESSLOG@"] = filepath.Join(s.Dir, "access.log")
	if s.door, err = parts.NewCertifiedDoor(s.Dir, "envoy.gateways.example.test"); err != nil {
		return err
	}
	ca := s.door.CA
	public, err := ca.Server("health.example.test")
	if err != nil {
		return err
	}
	plaintext := func(port string) parts.Way { return parts.NewWay("http://localhost:"+s.words[port], nil) }
	s.http, s.teams, s.blind, s.internal = plaintext("@HTTP@"), plaintext("@TEAMS@"), plaintext("@BLIND@"), plaintext("@INTERNAL@")
	encrypted := func(port string) parts.Way { return parts.NewWay("https://localhost:"+s.words[port], ca.HTTPClient()) }
	s.https, s.teamsTLS, s.partners = encrypted("@HTTPS@"), encrypted("@TEAMSTLS@"), encrypted("@PARTNERS@")
	if err := s.startAgentauth(ctx); err != nil {
		return err
	}
	s.Ends(func() error { return s.agentauth.Stop() })
	objects, err := s.words.Read(os.DirFS("testdata"), "policies.yaml", "gateway.yaml", "limits.yaml", "targets.yaml", "attached.yaml")
	if err != nil {
		return err
	}
	objects += "\n" + ca.ConfigMap("agentauth-system", "door-ca") + ca.ConfigMap("gateways", "partners-ca") + ca.LabelledConfigMap("shop", "partners-ca") +
		ca.Secret("gateways", "door-client", s.door.Proxy) + ca.Secret("gateways", "public", public) + keys(attached)
	_, err = s.cluster.Kubectl(ctx, objects, "apply", "-f", "-")
	return err
}

// startAgentauth starts one at the door that the SecurityPolicies know.
func (s *stage) startAgentauth(ctx context.Context, more ...string) error {
	args := slices.Concat([]string{"--trust-principal", "--trust-xfcc", "--kubeconfig", s.account, "--grpc-address", net.JoinHostPort(parts.PrivateAddress, s.words["@DOOR@"])}, s.door.Args, more)
	agentauth, err := parts.StartAgentauth(ctx, parts.AgentauthConfig{Dir: s.Dir, Binary: s.binary, Args: args})
	if err == nil {
		s.agentauth = agentauth
	}
	return err
}

// restartAgentauth has it run with other arguments for the length of a test.
func (s *stage) restartAgentauth(t *testing.T, more ...string) {
	t.Helper()
	restart := func(more ...string) {
		parts.Must(t, s.agentauth.Stop())
		parts.Must(t, s.startAgentauth(context.WithoutCancel(t.Context()), more...))
	}
	restart(more...)
	t.Cleanup(func() { restart() })
}

func (s *stage) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := s.cluster.Kubectl(t.Context(), stdin, args...)
	parts.Must(t, err)
	return out
}

// apply applies the policy of this name in a file of testdata.
func (s *stage) apply(t *testing.T, file, policy string) {
	t.Helper()
	object, err := s.words.Object(os.DirFS("testdata"), "kind: AgentAuthPolicy\nmetadata: {name: "+policy+", ", file)
	parts.Must(t, err)
	s.kubectl(t, object, "apply", "-f", "-")
}
