package main

import (
	"context"
	"embed"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

//go:embed cluster/*.yaml
var manifests embed.FS

// openCluster starts a cluster, Envoy Gateway and agentauth, and declares what they are to do. It must run in
// parts.Private.
func (s *stage) openCluster(ctx context.Context, binary string) (err error) {
	s.say("etcd and an API server")
	if s.cluster, err = parts.StartCluster(ctx, s.dir); err != nil {
		return err
	}
	s.stops = append(s.stops, s.cluster.Stop)
	s.say("Envoy Gateway")
	gateway, err := parts.StartEnvoyGateway(ctx, s.dir, s.cluster)
	if err != nil {
		return err
	}
	s.stops = append(s.stops, gateway.Stop)
	for _, namespace := range []string{"agentauth-system", "gateways", "samples", "shop"} {
		if _, err := s.cluster.Kubectl(ctx, "", "create", "namespace", namespace); err != nil {
			return err
		}
	}
	if err := s.certificates(ctx); err != nil {
		return err
	}
	s.say("agentauth, as helm install says")
	values, err := manifests.ReadFile("cluster/values.yaml")
	if err != nil {
		return err
	}
	if _, err := parts.Helm(ctx, s.dir, s.cluster.Kubeconfig, string(values), "install", "agentauth", "charts/agentauth", "-n", "agentauth-system", "-f", "-"); err != nil {
		return err
	}
	if err := s.runDeployment(ctx, binary); err != nil {
		return err
	}
	s.say("a Gateway, routes, and policies for them")
	if err := s.declare(ctx); err != nil {
		return err
	}
	return s.settle(ctx)
}

func (s *stage) say(what string) { fmt.Fprintln(s.out, "Starting", what) }

// certificates makes Secrets and ConfigMaps of the Gateway's certificate, and of both sides of agentauth's door.
func (s *stage) certificates(ctx context.Context) error {
	door, err := s.ca.Server("agentauth.agentauth-system.svc")
	if err != nil {
		return err
	}
	envoy, err := s.ca.Issue(parts.Leaf{DNSNames: []string{"envoy.gateways.example.com"}})
	if err != nil {
		return err
	}
	public, err := s.ca.Server()
	if err != nil {
		return err
	}
	objects := fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: door-ca, namespace: agentauth-system}, data: {ca.crt: %q}}\n", s.ca.PEM)
	for name, pair := range map[string]parts.Pair{
		"agentauth-door, namespace: agentauth-system": door, "door-client, namespace: gateways": envoy, "public, namespace: gateways": public,
	} {
		objects += fmt.Sprintf("---\n{apiVersion: v1, kind: Secret, type: kubernetes.io/tls, metadata: {name: %s}, stringData: {ca.crt: %q, tls.crt: %q, tls.key: %q}}\n", name, s.ca.PEM, pair.Cert, pair.Key)
	}
	_, err = s.cluster.Kubectl(ctx, objects, "apply", "-f", "-")
	return err
}

// declare applies what operators and teams declare, and waits until agentauth has every policy in force.
func (s *stage) declare(ctx context.Context) error {
	_, upstream, err := net.SplitHostPort(s.upstream.Address)
	if err != nil {
		return err
	}
	var ports [2]int
	for i := range ports {
		if ports[i], err = parts.FreePort(); err != nil {
			return err
		}
	}
	s.http, s.https = fmt.Sprintf("http://localhost:%d", ports[0]), fmt.Sprintf("https://localhost:%d", ports[1])
	here := strings.NewReplacer("@HTTP@", strconv.Itoa(ports[0]), "@HTTPS@", strconv.Itoa(ports[1]),
		"@UPSTREAM@", upstream, "@ADDRESS@", parts.PrivateAddress, "@ISSUER@", s.provider.Issuer)
	for _, name := range []string{"gateway", "samples", "shop"} {
		text, err := manifests.ReadFile("cluster/" + name + ".yaml")
		if err != nil {
			return err
		}
		if _, err := s.cluster.Kubectl(ctx, here.Replace(string(text)), "apply", "-f", "-"); err != nil {
			return err
		}
	}
	samples, err := s.copySamples()
	if err != nil {
		return err
	}
	if _, err := s.cluster.Kubectl(ctx, "", "apply", "-f", samples); err != nil {
		return err
	}
	_, err = s.cluster.Kubectl(ctx, "", "wait", "--for=condition=Programmed", "--timeout=60s", "aap", "--all", "-A")
	return err
}

// settle waits until the Gateway's Envoy has every route, and asks where it is to ask.
func (s *stage) settle(ctx context.Context) error {
	const patience = time.Minute
	for _, first := range []scene{
		{call: request(s.client, "GET", s.http+"/reports"), status: 401, reason: "NoCredential"},
		{call: s.get("/reports"), status: 401, reason: "NoCredential"},
		{call: s.get("/", "host", "orders.example.com"), status: 401, reason: "NoCredential"},
		{call: s.get("/refunds", "host", "orders.example.com"), status: 401, reason: "NoCredential"},
		{call: s.get("/", "host", "search.example.com"), status: 401, reason: "NoCredential"},
		{call: s.get("/", "host", "status.example.com"), status: 200},
	} {
		first.within = patience
		if _, _, err := s.act(ctx, first); err != nil {
			return fmt.Errorf("the Gateway's Envoy: %w", err)
		}
	}
	return nil
}

// showPolicies prints what a user sees of the policies.
func (s *stage) showPolicies(ctx context.Context) error {
	out, err := s.cluster.Kubectl(ctx, "", "get", "aap", "-A")
	fmt.Fprintf(s.out, "\n$ kubectl get aap -A\n%s", out)
	return err
}
