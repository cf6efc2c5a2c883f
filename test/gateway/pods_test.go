//go:build e2e && linux

package gateway

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// values are of the chart, for a team's own agentauth.
const values = `
image: {repository: registry.example.com/agentauth}
door: {trustNetwork: true}
networkPolicy: {gatewayNamespaces: [envoy-gateway-system]}
watchNamespaces: [depot]
crds: {enabled: false}   # the stage has them
`

// All that a cluster with nodes would have of it is there, and from the API server: what Envoy Gateway makes of a
// Gateway, and what Helm makes of the chart. Only that pods run is played.
func TestTheChartsAgentauthIsAskedByAnEnvoyOfAPod(t *testing.T) {
	s := theStage
	ctx := context.WithoutCancel(t.Context())
	// There is one Envoy Gateway at a time, and one agentauth that writes status.
	parts.Must(t, errors.Join(s.agentauth.Stop(), s.gateway.Stop()))
	defer func() {
		parts.Must(t, errors.Join(s.startAgentauth(ctx), s.gateway.Restart(ctx)))
		s.http.Becomes(t, http.StatusOK, parts.Get("orders.example.test/", key))
		s.teams.Becomes(t, http.StatusOK, parts.Get("catalog.example.test/", keyOf("catalog")))
	}()
	pods, err := parts.StartPodGateway(ctx, s.Dir, s.cluster)
	parts.Must(t, err)
	defer func() { parts.Must(t, pods.Stop()) }()

	for _, namespace := range []string{"depot", "charted"} {
		s.kubectl(t, "", "create", "namespace", namespace)
	}
	_, err = parts.Helm(t.Context(), s.Dir, s.cluster.Kubeconfig, values, "install", "agentauth", "charts/agentauth", "-n", "charted", "-f", "-")
	parts.Must(t, err)
	agentauth, door := s.startCharted(t)
	defer func() { parts.Must(t, agentauth.Stop()) }()

	upstream, err := parts.StartUpstreamOn(net.JoinHostPort(parts.PrivateAddress, "0"))
	parts.Must(t, err)
	defer upstream.Stop()
	words, err := parts.NewWords(map[string]string{"@DOOR@": door, "@UPSTREAM@": upstream.Address}, "@PODS@")
	parts.Must(t, err)
	objects, err := words.Read(os.DirFS("testdata"), "pods.yaml")
	parts.Must(t, err)
	s.kubectl(t, objects+keys(map[string]string{"parcels": "depot", "labels": "depot"}), "apply", "-f", "-")
	envoy, err := pods.StartPodEnvoy(ctx, "depot", "depot")
	parts.Must(t, err)
	defer func() { parts.Must(t, envoy.Stop()) }()

	s.kubectl(t, "", "wait", "--for=condition=Programmed", "--timeout=30s", "gateway/depot", "-n", "depot")
	s.kubectl(t, "", "wait", "--for=condition=Ready", "--timeout=30s", "aap", "--all", "-n", "depot")
	way := parts.NewWay("http://"+net.JoinHostPort(parts.PrivateAddress, words["@PODS@"]), nil)
	for path, policy := range map[string]string{"/": "parcels", "/labels/1": "labels"} {
		target := "parcels.example.test" + path
		way.Becomes(t, http.StatusOK, parts.Get(target, keyOf(policy)))
		way.Serves(t, policy, parts.Get(target, keyOf(policy)))
		for _, headers := range [][]string{nil, {nobodys}, {keyOf("teams")}, {keyOf(map[string]string{"parcels": "labels", "labels": "parcels"}[policy])}} {
			way.Refuses(t, upstream, http.StatusUnauthorized, parts.Get(target, headers...))
		}
	}
}

// startCharted runs what the release's Deployment says, under its account, and returns the address of its door too.
func (s *stage) startCharted(t *testing.T) (*parts.Agentauth, string) {
	t.Helper()
	deployment, err := s.cluster.Deployment(t.Context(), "charted", "agentauth")
	parts.Must(t, err)
	account, err := s.cluster.AccountKubeconfig(t.Context(), "charted", deployment.Spec.Template.Spec.ServiceAccountName)
	parts.Must(t, err)
	port, err := parts.FreePort()
	parts.Must(t, err)
	door := net.JoinHostPort(parts.PrivateAddress, strconv.Itoa(port))
	dir, err := os.MkdirTemp(s.Dir, "charted-")
	parts.Must(t, err)
	args, err := s.cluster.PodArgs(t.Context(), deployment, dir, map[string]string{"--grpc-address": door, "--metrics-address": ""})
	parts.Must(t, err)
	a, err := parts.StartAgentauth(context.WithoutCancel(t.Context()), parts.AgentauthConfig{Dir: dir, Binary: s.binary, Args: append(args, "--kubeconfig", account)})
	parts.Must(t, err)
	return a, door
}
