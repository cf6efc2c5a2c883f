package parts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// GatewayCerts is where Envoy Gateway reads its own certificate; no setting changes that.
const GatewayCerts = "/certs"

// gatewayController is the controllerName of its GatewayClasses.
const gatewayController = "gateway.envoyproxy.io/gatewayclass-controller"

// envoyVersion is what an Envoy must be called for Envoy Gateway to take it.
const envoyVersion = "1.40.0"

// EnvoyGateway is a running Envoy Gateway, which starts an Envoy for each Gateway of the class "eg".
type EnvoyGateway struct {
	*Process

	dir     string
	cluster *Cluster
	start   func(context.Context) (*Process, error)
}

// Restart starts one again that was stopped: same objects, same ports.
func (g *EnvoyGateway) Restart(ctx context.Context) (err error) {
	g.Process, err = g.start(ctx)
	return err
}

// StartEnvoyGateway installs the kinds of Gateway API and Envoy Gateway in a cluster, runs Envoy Gateway for it,
// makes the GatewayClass, and returns when it is accepted. Envoy Gateway and its Envoys bind fixed ports of every
// address and read GatewayCerts, an empty directory that the caller provides: the process must be in namespaces
// of its own, where that harms nobody. One runs at a time.
func StartEnvoyGateway(ctx context.Context, dir string, c *Cluster) (*EnvoyGateway, error) {
	binary, err := installed(".parts", "bin", "envoy-gateway")
	if err != nil {
		return nil, err
	}
	crds, err := installed(".parts", "gateway-crds")
	if err != nil {
		return nil, err
	}
	envoy, err := envoyBinary()
	if err != nil {
		return nil, err
	}
	// Where it looks before it downloads one.
	version := filepath.Join(dir, "data", "envoy-versions", envoyVersion, "bin")
	if err := errors.Join(os.MkdirAll(version, 0o750), os.Symlink(envoy, filepath.Join(version, "envoy"))); err != nil {
		return nil, err
	}
	if err := c.install(ctx, gatewayNamespace, filepath.Join(crds, "gatewayapi-crds.yaml"), filepath.Join(crds, "generated")); err != nil {
		return nil, err
	}
	if err := gatewayCertificates(ctx, dir, binary, c); err != nil {
		return nil, err
	}
	return startEnvoyGateway(ctx, "envoy-gateway", dir, c, fmt.Sprintf(gatewayConfig, dir), "eg", gatewayClass)
}

// startEnvoyGateway runs it with a configuration and a GatewayClass, and returns when that is accepted.
func startEnvoyGateway(ctx context.Context, name, dir string, c *Cluster, config, class, objects string) (*EnvoyGateway, error) {
	binary, err := installed(".parts", "bin", "envoy-gateway")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, name+".yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	if _, err := c.Kubectl(ctx, objects, "apply", "-f", "-"); err != nil {
		return nil, err
	}
	g := &EnvoyGateway{dir: dir, cluster: c, start: func(ctx context.Context) (*Process, error) {
		p, err := start(name, dir, "/usr/bin/env", "KUBECONFIG="+c.Kubeconfig, binary, "server", "--config-path", file)
		if err != nil {
			return nil, err
		}
		return p, p.ready(ctx, func(ctx context.Context) error {
			out, err := c.Kubectl(ctx, "", "get", "gatewayclass", class, "-o", `jsonpath={.status.conditions[?(@.type=="Accepted")].status}`)
			if err == nil && out != "True" {
				err = fmt.Errorf("expected the GatewayClass to be accepted, got %q", out)
			}
			return err
		})
	}}
	return g, g.Restart(ctx)
}

const gatewayNamespace = "envoy-gateway-system"

// gatewayCertificates has Envoy Gateway make the Secrets with the certificates between it and its Envoys, and
// writes them where it, and an Envoy that is not in a pod, read them.
func gatewayCertificates(ctx context.Context, dir, binary string, c *Cluster) error {
	if entries, err := os.ReadDir(GatewayCerts); err != nil || len(entries) > 0 {
		return fmt.Errorf("expected an empty directory %s, got %d files, %v", GatewayCerts, len(entries), err)
	}
	cmd := exec.CommandContext(ctx, binary, "certgen", "--disable-topology-injector")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(out))
	}
	for name, to := range map[string]string{
		"envoy-gateway": GatewayCerts, "envoy": filepath.Join(dir, "config", "certs", "envoy"),
	} {
		var secret struct{ Data map[string][]byte }
		if err := c.getJSON(ctx, &secret, "secret", name, "-n", gatewayNamespace); err != nil {
			return err
		}
		if err := os.MkdirAll(to, 0o700); err != nil {
			return err
		}
		for file, content := range secret.Data {
			if err := os.WriteFile(filepath.Join(to, file), content, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// gatewayConfig watches an API server as in a cluster, and starts Envoys on this machine, for there are no pods.
const gatewayConfig = `apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyGateway
gateway: {controllerName: ` + gatewayController + `}
provider:
  type: Custom
  custom:
    resource:
      type: Kubernetes
      kubernetes: {leaderElection: {disable: true}}
    infrastructure:
      type: Host
      host: {configHome: %[1]s/config, dataHome: %[1]s/data, stateHome: %[1]s/state, runtimeDir: %[1]s/run}
extensionApis: {enableBackend: true}
rateLimit: {backend: {type: Redis, redis: {url: "localhost:6379"}}} # for the service, which is a RateLimits here
`

const gatewayClass = `apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {name: host, namespace: ` + gatewayNamespace + `}
spec:
  provider: {type: Host, host: {envoyVersion: ` + envoyVersion + `}}
  concurrency: 1
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: eg}
spec:
  controllerName: ` + gatewayController + `
  parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: host, namespace: ` + gatewayNamespace + `}
`
