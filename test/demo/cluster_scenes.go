package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The keys of cluster/*.yaml.
const (
	auditorsKey = "sample-api-key-of-the-auditor"
	tillsKey    = "sample-api-key-of-the-till"
)

const moments = 30 * time.Second // until a change must be in force, however loaded the machine is

func clusterScenes(s *stage) []scene {
	host := func(name string, headers ...string) func(context.Context) (answer, error) {
		return s.get("/", append(headers, "host", name)...)
	}
	const orders, search, status = "orders.example.com", "search.example.com", "status.example.com"
	return slices.Concat(sampleScenes(s), workloadScenes(s), []scene{
		{who: "warehouse robot", with: "its API key", asks: "GET https /public/%252e%252e/inventory", status: 400, reason: "BadRequest",
			call: s.get("/public/%252e%252e/inventory", "x-api-key", robotsKey)},
		{who: "alice", with: "her password", asks: "GET https /nowhere", status: 401, reason: "NoCredential", policy: "gateways/default",
			call: s.get("/nowhere", "authorization", alice(alicesPassword))},

		{who: "till", with: "its API key", asks: "GET https orders.example.com/", status: 200, reason: "Allowed", policy: "shop/orders",
			call: host(orders, "x-api-key", tillsKey), upstream: as("till", "machines")},
		{who: "warehouse robot", with: "its API key, of another team", asks: "GET https orders.example.com/", status: 401, reason: "UnknownCredential", policy: "shop/orders",
			call: host(orders, "x-api-key", robotsKey)},
		{who: "till", with: "its API key", asks: "POST https orders.example.com/refunds", status: 401, reason: "NoCredential", policy: "shop/refunds",
			call: request(s.client, "POST", s.https+"/refunds", "host", orders, "x-api-key", tillsKey)},
		{who: "orders-agent", with: "a token to write", asks: "POST https orders.example.com/refunds", status: 200, reason: "Allowed", policy: "shop/refunds",
			call: s.withToken("POST", "/refunds", "https://orders.example.com", "orders:write", "host", orders), upstream: as("orders-agent", "partners")},
		{who: "anybody", with: "nothing", asks: "GET https search.example.com/", status: 401, reason: "NoCredential", policy: "gateways/default",
			call: host(search)},
		{who: "auditor", with: "an API key of the Gateway's", asks: "GET https search.example.com/", status: 200, reason: "Allowed", policy: "gateways/default",
			call: host(search, "x-api-key", auditorsKey), upstream: as("auditor", "operators")},
		{who: "anybody", with: "nothing", asks: "GET https status.example.com/", status: 200,
			call: host(status)},

		{who: "OPERATOR", with: "kubectl delete secret warehouse-robot", do: s.revoke},
		{who: "warehouse robot", with: "its API key", asks: "GET https /inventory", status: 401, reason: "UnknownCredential", within: moments,
			call: s.get("/inventory", "x-api-key", robotsKey)},
		{who: "OPERATOR", with: "kubectl apply, a policy with an error", do: s.breakPolicy},
		{who: "auditor", with: "an API key of the Gateway's", asks: "GET https search.example.com/", status: 503, reason: "PolicyInvalid", policy: "shop/search", within: moments,
			call: host(search, "x-api-key", auditorsKey)},
	})
}

// revoke deletes the Secret with the robot's key.
func (s *stage) revoke(ctx context.Context) (string, error) {
	out, err := s.cluster.Kubectl(ctx, "", "delete", "secret", "warehouse-robot", "-n", "samples")
	return strings.TrimSpace(out), err
}

// breakPolicy applies a policy that cannot be in force, and waits for the condition that says why.
func (s *stage) breakPolicy(ctx context.Context) (string, error) {
	policy, err := manifests.ReadFile("cluster/broken.yaml")
	if err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"apply", "-f", "-"},
		{"wait", "--for=condition=Accepted=false", fmt.Sprintf("--timeout=%s", moments), "-n", "shop", "aap/search"},
	} {
		if _, err := s.cluster.Kubectl(ctx, string(policy), args...); err != nil {
			return "", err
		}
	}
	out, err := s.cluster.Kubectl(ctx, "", "get", "aap", "search", "-n", "shop", "-o",
		`jsonpath={range .status.conditions[?(@.type=="Accepted")]}Accepted={.status} {.reason}: {.message}{end}`)
	if err == nil && !strings.HasPrefix(out, "Accepted=False Invalid: ") {
		err = fmt.Errorf("expected the condition Accepted=False Invalid, got %q", out)
	}
	return out, err
}
