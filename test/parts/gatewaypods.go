package parts

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// PrivateAddress is an address of its own network that a private process has beside its loopback, as it has all of
// 10.10.0.0/24: API servers take those of the loopback for no endpoints.
const PrivateAddress = "10.10.0.1"

// StartPodGateway runs Envoy Gateway as in a cluster with nodes: of each Gateway of the class "pods" it makes a
// Deployment, a Service and what they need, and starts nothing. It is for a cluster, and a directory, where
// StartEnvoyGateway ran before and was stopped.
func StartPodGateway(ctx context.Context, dir string, c *Cluster) (*EnvoyGateway, error) {
	return startEnvoyGateway(ctx, "pod-gateway", dir, c, podGatewayConfig, "pods", podGatewayClass)
}

// StartPodEnvoy does for a Gateway of the class "pods" what a cluster's nodes and its load balancer would: it waits
// for the Deployment, runs its Envoy with the arguments and files of the pod, and says that all of it is there.
func (g *EnvoyGateway) StartPodEnvoy(ctx context.Context, namespace, gateway string) (*Process, error) {
	dir, c := g.dir, g.cluster
	envoy, err := envoyBinary()
	if err != nil {
		return nil, err
	}
	var name string
	var args []string
	if err := g.ready(ctx, func(ctx context.Context) (err error) {
		name, args, err = podEnvoy(ctx, c, namespace, gateway)
		return err
	}); err != nil {
		return nil, err
	}
	// What the pod has at /sds is a ConfigMap, and at /certs a Secret, which gatewayCertificates wrote.
	var files struct{ Data map[string]string }
	if err := c.getJSON(ctx, &files, "configmap", name, "-n", gatewayNamespace); err != nil {
		return nil, err
	}
	sds := filepath.Join(dir, "sds") + "/"
	if err := os.MkdirAll(sds, 0o750); err != nil {
		return nil, err
	}
	for file, text := range files.Data {
		text = strings.ReplaceAll(text, "/certs/", filepath.Join(dir, "config", "certs", "envoy")+"/")
		if err := os.WriteFile(sds+file, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	inPod := strings.NewReplacer("$(ENVOY_POD_NAME)", name+"-0", "$(ENVOY_SERVICE_ZONE)", "zone", "/sds/", sds,
		"envoy-gateway."+gatewayNamespace+".svc.cluster.local.", "127.0.0.1")
	for i := range args {
		args[i] = inPod.Replace(args[i])
	}
	p, err := start("pod-envoy", dir, envoy, append(args, "--disable-hot-restart")...)
	if err != nil {
		return nil, err
	}
	for kind, status := range map[string]string{
		"service":    `{"loadBalancer":{"ingress":[{"ip":"` + PrivateAddress + `"}]}}`,
		"deployment": `{"replicas":1,"readyReplicas":1,"availableReplicas":1,"updatedReplicas":1}`,
	} {
		if _, err := c.Kubectl(ctx, "", "patch", kind, name, "-n", gatewayNamespace, "--subresource=status", "--type=merge", "-p", `{"status":`+status+`}`); err != nil {
			p.Kill()
			return nil, err
		}
	}
	return p, nil
}

// podEnvoy is the Deployment of a Gateway, and the arguments of its Envoy.
func podEnvoy(ctx context.Context, c *Cluster, namespace, gateway string) (string, []string, error) {
	var found struct {
		Items []struct {
			Metadata struct{ Name string }
			Spec     struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Name string
							Args []string
						}
					}
				}
			}
		}
	}
	const owning = "gateway.envoyproxy.io/owning-gateway-"
	err := c.getJSON(ctx, &found, "deployments", "-n", gatewayNamespace, "-l", owning+"namespace="+namespace+","+owning+"name="+gateway)
	if err != nil {
		return "", nil, err
	}
	for _, deployment := range found.Items {
		for _, container := range deployment.Spec.Template.Spec.Containers {
			if container.Name == "envoy" {
				return deployment.Metadata.Name, container.Args, nil
			}
		}
	}
	return "", nil, fmt.Errorf("expected a Deployment of Gateway %s/%s with a container envoy, got %d Deployments", namespace, gateway, len(found.Items))
}

func (c *Cluster) getJSON(ctx context.Context, into any, args ...string) error {
	out, err := c.Kubectl(ctx, "", append([]string{"get", "-o", "json"}, args...)...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), into)
}

// podGatewayConfig leaves Envoy the ports that it has in a pod of its own. There is no webhook to tell it its zone.
const podGatewayConfig = `apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyGateway
gateway: {controllerName: ` + podController + `}
provider:
  type: Kubernetes
  kubernetes:
    leaderElection: {disable: true}
    proxyTopologyInjector: {disabled: true}
admin: {address: {host: 127.0.0.1, port: 19900}}
telemetry: {metrics: {prometheus: {disable: true}}}
`

const podController = "gateway.envoyproxy.io/pods"

const podGatewayClass = `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: pods}
spec: {controllerName: ` + podController + `}
`
