package main

import (
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/agentauth-dev/agentauth/test/parts"
)

//go:embed cluster/*.yaml
var manifests embed.FS

// openCluster starts a cluster, Envoy Gateway and agentauth, and declares what they are to do. It must run in
// parts.Private.
func (s *stage) openCluster(ctx context.Context, binary string) (err error) {
	s.say("etcd and an API server")
	if s.cluster, err = parts.StartCluster(ctx, s.Dir); err != nil {
		return err
	}
	s.Ends(s.cluster.Stop)
	s.say("Envoy Gateway")
	gateway, err := parts.StartEnvoyGateway(ctx, s.Dir, s.cluster)
	if err != nil {
		return err
	}
	s.Ends(gateway.Stop)
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
	if _, err := parts.Helm(ctx, s.Dir, s.cluster.Kubeconfig, string(values), "install", "agentauth", "charts/agentauth", "-n", "agentauth-system", "-f", "-"); err != nil {
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

// runDeployment runs agentauth as the chart's Deployment says.
func (s *stage) runDeployment(ctx context.Context, binary string) error {
	d, err := s.cluster.Deployment(ctx, "agentauth-system", "agentauth")
	if err != nil {
		return err
	}
	account, err := s.cluster.AccountKubeconfig(ctx, d.Namespace, d.Spec.Template.Spec.ServiceAccountName)
	if err != nil {
		return err
	}
	// In the one network of the demo the port of the metrics is Envoy Gateway's.
	args, err := s.cluster.PodArgs(ctx, d, s.Dir, map[string]string{"--metrics-address": ""})
	if err != nil {
		return err
	}
	if s.agentauth, err = parts.StartAgentauth(ctx, parts.AgentauthConfig{Dir: s.Dir, Binary: binary, Args: append(args, "--kubeconfig", account)}); err != nil {
		return err
	}
	s.Ends(s.agentauth.Stop)
	return nil
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
	objects := s.ca.ConfigMap("agentauth-system", "door-ca") + s.ca.Secret("agentauth-system", "agentauth-door", door) +
		s.ca.Secret("gateways", "door-client", envoy) + s.ca.Secret("gateways", "public", public)
	_, err = s.cluster.Kubectl(ctx, objects, "apply", "-f", "-")
	return err
}

// declare applies what operators and teams declare, and waits until agentauth has every policy in force.
func (s *stage) declare(ctx context.Context) error {
	here, err := parts.NewWords(map[string]string{"@UPSTREAM@": s.upstream.Address}, "@HTTP@", "@HTTPS@")
	if err != nil {
		return err
	}
	here["@ADDRESS@"], here["@ISSUER@"] = parts.PrivateAddress, s.provider.Issuer
	s.http, s.https = "http://localhost:"+here["@HTTP@"], "https://localhost:"+here["@HTTPS@"]
	objects, err := here.Read(manifests, "cluster/gateway.yaml", "cluster/samples.yaml", "cluster/shop.yaml", "cluster/workloads.yaml")
	if err != nil {
		return err
	}
	if _, err := s.cluster.Kubectl(ctx, objects, "apply", "-f", "-"); err != nil {
		return err
	}
	samples, err := s.copySamples()
	if err != nil {
		return err
	}
	if _, err := s.cluster.Kubectl(ctx, "", "apply", "-f", samples); err != nil {
		return err
	}
	_, err = s.cluster.Kubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=60s", "aap", "--all", "-A")
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
		{call: s.get("/", "host", "books.example.com"), status: 401, reason: "NoCredential"},
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
