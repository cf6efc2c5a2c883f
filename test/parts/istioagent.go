package parts

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// IstioAgentConfig is a workload that an agent of Istio runs in: what would be a pod of its own in a cluster.
type IstioAgentConfig struct {
	Dir       string            // run directory of all; the agent takes the sub-directory NAMESPACE-ACCOUNT
	Mode      string            // router or sidecar
	Namespace string            // of the pod
	Account   string            // its ServiceAccount, which must be there, and so its identity
	Address   string            // one of 10.10.0.0/24 that nothing else has; istiod knows the pod by it
	Labels    map[string]string // of the pod

	OutputCerts string // directory for the workload's key.pem, cert-chain.pem and root-cert.pem; default: nowhere
}

// IstioAgent is a running pilot-agent, what the proxy's container of a pod runs, with its Envoy.
type IstioAgent struct{ *Process }

// StartAgent runs an agent, which gets a certificate of the mesh for its ServiceAccount and has istiod configure its
// Envoy, and returns when that is ready. Envoy listens on every address.
func (i *Istiod) StartAgent(ctx context.Context, config IstioAgentConfig) (*IstioAgent, error) {
	binary, err := installed(".parts", "bin", "pilot-agent")
	if err != nil {
		return nil, err
	}
	dir, err := i.mount(ctx, config)
	if err != nil {
		return nil, err
	}
	var ports [4]int
	for n := range ports {
		if ports[n], err = FreePort(); err != nil {
			return nil, err
		}
	}
	proxy, err := proxyConfig(ports[0], ports[1])
	if err != nil {
		return nil, err
	}
	args := []string{
		"POD_NAME=" + filepath.Base(dir) + "-0", "POD_NAMESPACE=" + config.Namespace, "SERVICE_ACCOUNT=" + config.Account,
		"INSTANCE_IP=" + config.Address, "HOST_IP=" + config.Address, "PROXY_CONFIG=" + proxy,
		fmt.Sprint("ENVOY_STATUS_PORT=", ports[2]), fmt.Sprint("ENVOY_PROMETHEUS_PORT=", ports[3]),
		"CA_ADDR=" + IstiodHost + ":" + istiodPort, "PILOT_CERT_PROVIDER=istiod", "TRUST_DOMAIN=cluster.local",
		"ISTIO_META_CLUSTER_ID=Kubernetes", "ISTIO_META_WORKLOAD_NAME=" + config.Account, "ISTIO_META_INTERCEPTION_MODE=NONE",
		"OUTPUT_CERTS=" + config.OutputCerts,
		binary, "proxy", config.Mode, "--domain", config.Namespace + ".svc.cluster.local", "--proxyLogLevel", "warning",
	}
	a := &IstioAgent{}
	if a.Process, err = start("agent", dir, "/usr/bin/env", args...); err != nil {
		return nil, err
	}
	return a, a.ready(ctx, func(ctx context.Context) error {
		_, err := get(ctx, probeClient, "http://"+loopback(ports[0])+"/healthz/ready")
		return err
	})
}

// mount writes what a pod has mounted: a token for istiod, the root of the mesh, its labels. It returns where.
func (i *Istiod) mount(ctx context.Context, config IstioAgentConfig) (dir string, err error) {
	dir = filepath.Join(config.Dir, config.Namespace+"-"+config.Account)
	token, err := i.cluster.Kubectl(ctx, "", "create", "token", config.Account, "-n", config.Namespace, "--audience", "istio-ca")
	if err != nil {
		return "", err
	}
	var root string
	err = i.ready(ctx, func(ctx context.Context) (err error) { // istiod writes it into every namespace
		root, err = i.cluster.Kubectl(ctx, "", "get", "configmap", "istio-ca-root-cert", "-n", config.Namespace, "-o", `jsonpath={.data.root-cert\.pem}`)
		return err
	})
	if err != nil {
		return "", err
	}
	var labels strings.Builder
	for name, value := range config.Labels {
		fmt.Fprintf(&labels, "%s=%s\n", name, strconv.Quote(value))
	}
	for path, content := range map[string]string{
		"var/run/secrets/tokens/istio-token":  strings.TrimSpace(token),
		"var/run/secrets/istio/root-cert.pem": root,
		"etc/istio/pod/labels":                labels.String(),
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	return dir, os.MkdirAll(filepath.Join(dir, "etc", "istio", "proxy"), 0o750)
}

// proxyConfig is what the mesh's defaultConfig would be, but for where things are on this machine.
func proxyConfig(status, admin int) (string, error) {
	envoy, err := envoyBinary()
	if err != nil {
		return "", err
	}
	bootstrap, err := installed(".parts", "istio", "envoy_bootstrap.json")
	if err != nil {
		return "", err
	}
	config, err := json.Marshal(map[string]any{
		"discoveryAddress": IstiodHost + ":" + istiodPort, "binaryPath": envoy, "proxyBootstrapTemplatePath": bootstrap,
		"concurrency": 1, "statusPort": status, "proxyAdminPort": admin, "terminationDrainDuration": "0.1s",
	})
	return string(config), err
}
