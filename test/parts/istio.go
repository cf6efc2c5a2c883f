package parts

import (
	"context"
	"path/filepath"
)

// IstiodHost is the name in istiod's certificate. In a Private process it is one of the loopback.
const IstiodHost = "istiod.istio-system.svc"

// istiodPort is where agents find it, as in every cluster.
const istiodPort = "15012"

// istiodPorts are for debugging, health and metrics.
const istiodHTTP, istiodMetrics = "127.0.0.1:15080", "127.0.0.1:15014"

const istioNamespace = "istio-system"

// Istiod is a running istiod: Istio's control plane and certificate authority.
type Istiod struct {
	*Process
	cluster *Cluster
}

// StartIstiod installs the kinds of Gateway API and Istio in a cluster, runs istiod for it with a file that says
// what the mesh is like, and returns when it is ready. The file is watched. istiod binds fixed ports: the process must
// be a Private one, and one istiod runs at a time. Without nodes there are no webhooks, and no Deployments for
// Gateways. The Envoys are not Istio's own builds, so the two filters that only these have, for telemetry between
// proxies, are off.
func StartIstiod(ctx context.Context, dir string, c *Cluster, mesh string) (*Istiod, error) {
	binary, err := installed(".parts", "bin", "pilot-discovery")
	if err != nil {
		return nil, err
	}
	gateway, err := installed(".parts", "gateway-crds", "gatewayapi-crds.yaml")
	if err != nil {
		return nil, err
	}
	istio, err := installed(".parts", "istio", "crd-all.gen.yaml")
	if err != nil {
		return nil, err
	}
	if mesh, err = filepath.Abs(mesh); err != nil {
		return nil, err
	}
	if err := c.install(ctx, istioNamespace, gateway, istio); err != nil {
		return nil, err
	}
	i := &Istiod{cluster: c}
	i.Process, err = start("istiod", dir, "/usr/bin/env",
		"POD_NAME=istiod-0", "POD_NAMESPACE="+istioNamespace, "REVISION=default", "CLUSTER_ID=Kubernetes", "PILOT_CERT_PROVIDER=istiod",
		"PILOT_ENABLE_METADATA_EXCHANGE=false", "PILOT_DISABLE_MX_ALPN=true", "PILOT_ENABLE_ALPN_FILTER=false",
		"PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER=false", "INJECTION_WEBHOOK_CONFIG_NAME=", "VALIDATION_WEBHOOK_CONFIG_NAME=",
		"ENABLE_LEADER_ELECTION=false", "PILOT_DEBOUNCE_AFTER=10ms",
		binary, "discovery", "--kubeconfig", c.Kubeconfig, "--meshConfig", mesh, "--networksConfig", "/dev/null",
		"--secureGRPCAddr", "127.0.0.1:"+istiodPort, "--grpcAddr", "", "--httpAddr", istiodHTTP, "--httpsAddr", "",
		"--monitoringAddr", istiodMetrics, "--ctrlz_address", "127.0.0.1", "--ctrlz_port", "0")
	if err != nil {
		return nil, err
	}
	return i, i.ready(ctx, func(ctx context.Context) error {
		_, err := get(ctx, probeClient, "http://"+istiodHTTP+"/ready")
		return err
	})
}
