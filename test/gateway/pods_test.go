//go:build e2e && linux

package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// values are of the chart, for a team's own agentauth.
const values = `
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
	must(t, errors.Join(s.agentauth.Stop(), s.gateway.Stop()))
	defer func() {
		must(t, errors.Join(s.startAgentauth(ctx), s.gateway.Restart(ctx)))
		s.becomes(t, http.StatusOK, get("orders.example.test/", key))
		s.becomes(t, http.StatusOK, get("catalog.example.test/", keyOf("catalog")).over(s.teams))
	}()
	pods, err := parts.StartPodGateway(ctx, s.dir, s.cluster)
	must(t, err)
	defer func() { must(t, pods.Stop()) }()

	for _, namespace := range []string{"depot", "charted"} {
		s.kubectl(t, "", "create", "namespace", namespace)
	}
	_, err = parts.Helm(t.Context(), s.dir, s.cluster.Kubeconfig, values, "install", "agentauth", "charts/agentauth", "-n", "charted", "-f", "-")
	must(t, err)
	agentauth, door := s.startCharted(t)
	defer func() { must(t, agentauth.Stop()) }()

	upstream, err := parts.StartUpstreamOn(net.JoinHostPort(parts.PrivateAddress, "0"))
	must(t, err)
	defer upstream.Stop()
	free, err := parts.FreePort()
	must(t, err)
	ports := map[string]string{"@PODS@": strconv.Itoa(free)}
	for name, address := range map[string]string{"@DOOR@": door, "@UPSTREAM@": upstream.Address} {
		_, ports[name], err = net.SplitHostPort(address)
		must(t, err)
	}
	objects, err := manifests(ports, "pods")
	must(t, err)
	s.kubectl(t, objects+keys(map[string]string{"parcels": "depot", "labels": "depot"}), "apply", "-f", "-")
	envoy, err := pods.StartPodEnvoy(ctx, "depot", "depot")
	must(t, err)
	defer func() { must(t, envoy.Stop()) }()

	s.kubectl(t, "", "wait", "--for=condition=Programmed", "--timeout=30s", "gateway/depot", "-n", "depot")
	s.kubectl(t, "", "wait", "--for=condition=Programmed", "--timeout=30s", "aap", "--all", "-n", "depot")
	way := way{"http://" + net.JoinHostPort(parts.PrivateAddress, ports["@PODS@"]), plain(&http.Client{Transport: &http.Transport{}})}
	for path, policy := range map[string]string{"/": "parcels", "/labels/1": "labels"} {
		target := "parcels.example.test" + path
		a := s.becomes(t, http.StatusOK, get(target, keyOf(policy)).over(way))
		if got := a.echo.Headers.Get("x-agent-id"); got != policy || a.echo.Headers.Get("x-api-key") != "" {
			t.Errorf("%s: expected the upstream to see %s and no key, got %v", target, policy, a.echo.Headers)
		}
		before := upstream.Count()
		for _, headers := range [][]string{nil, {nobodys}, {keyOf("teams")}, {keyOf(map[string]string{"parcels": "labels", "labels": "parcels"}[policy])}} {
			if a, err := s.try(t.Context(), get(target, headers...).over(way)); err != nil || a.status != http.StatusUnauthorized {
				t.Errorf("%s with %q: expected 401, got %d, %v", target, headers, a.status, err)
			}
		}
		if upstream.Count() != before {
			t.Errorf("%s: a refused request reached the upstream", target)
		}
	}
}

// startCharted runs what the release's Deployment says, under its account, and returns the address of its door too.
func (s *stage) startCharted(t *testing.T) (*parts.Agentauth, string) {
	t.Helper()
	var deployment struct {
		Spec struct {
			Template struct {
				Spec struct {
					ServiceAccountName string
					Containers         []struct{ Args []string }
				}
			}
		}
	}
	must(t, json.Unmarshal([]byte(s.kubectl(t, "", "get", "deployment", "agentauth", "-n", "charted", "-o", "json")), &deployment))
	pod := deployment.Spec.Template.Spec
	account, err := s.cluster.AccountKubeconfig(t.Context(), "charted", pod.ServiceAccountName)
	must(t, err)
	port, err := parts.FreePort()
	must(t, err)
	door := net.JoinHostPort(parts.PrivateAddress, strconv.Itoa(port))
	args := []string{"--kubeconfig", account, "--grpc-address", door}
	for _, arg := range pod.Containers[0].Args[1:] { // the first is serve
		if !strings.HasPrefix(arg, "--grpc-address=") && !strings.HasPrefix(arg, "--metrics-address=") {
			args = append(args, arg)
		}
	}
	dir, err := os.MkdirTemp(s.dir, "charted-")
	must(t, err)
	a, err := parts.StartAgentauth(context.WithoutCancel(t.Context()), parts.AgentauthConfig{Dir: dir, Binary: s.binary, Args: args})
	must(t, err)
	return a, door
}
