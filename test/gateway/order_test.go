//go:build e2e && linux

package gateway

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// dice makes routes whose matches overlap.
type dice struct{ *rand.Rand }

func pick(d dice, from ...string) string { return from[d.IntN(len(from))] }

func (d dice) often(percent int) bool { return d.IntN(100) < percent }

var orderHosts = []string{`a.order.example.test`, `b.order.example.test`, `"*.order.example.test"`, `"*.a.order.example.test"`}

func (d dice) match() string {
	kind := pick(d, "PathPrefix", "PathPrefix", "PathPrefix", "Exact", "RegularExpression")
	value := pick(d, "/", "/x", "/x/y", "/x/", "/xy")
	if kind == "RegularExpression" {
		value = pick(d, "/x.*", "/x/[a-z]+", "/.*y")
	}
	m := fmt.Sprintf("path: {type: %s, value: %q}", kind, value)
	if d.often(20) {
		m += ", method: " + pick(d, "GET", "POST")
	}
	return "{" + m + d.conditions("headers", "x-one", "x-two") + d.conditions("queryParams", "q", "r") + "}"
}

func (d dice) conditions(kind string, names ...string) string {
	var out []string
	for _, name := range names {
		switch {
		case d.often(12):
			out = append(out, fmt.Sprintf("{name: %s, value: %q}", name, pick(d, "1", "2")))
		case d.often(8):
			out = append(out, fmt.Sprintf("{name: %s, value: %q, type: RegularExpression}", name, pick(d, ".", "1|2")))
		}
	}
	if out == nil {
		return ""
	}
	return fmt.Sprintf(", %s: [%s]", kind, strings.Join(out, ", "))
}

// method is a match of a GRPCRoute, on the same paths.
func (d dice) method() string {
	m := pick(d, `service: x, method: "y"`, `service: x, method: "y"`, `service: x`, `method: "y"`, `type: RegularExpression, service: "x.*", method: "[a-z]+"`)
	return "{method: {" + m + "}" + d.conditions("headers", "x-one", "x-two") + "}"
}

const orderPolicy = `---
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: %[1]s, namespace: shop}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: %[4]s, name: %[2]s%[3]s}]
  authentication: {methods: [{name: machines, apiKey: {selector: {matchLabels: {policy: order}}}}]}
`

const orderRoute = `---
apiVersion: gateway.networking.k8s.io/v1
kind: %[3]s
metadata: {name: %[1]s, namespace: shop}
spec:
  parentRefs: [{name: teams, namespace: gateways, sectionName: http}, {name: teams, namespace: gateways, sectionName: blind}]
  hostnames: [%[2]s]
  rules:
`

// route makes a route, with policies for some of its named rules and mostly for itself.
func (d dice) route(name string) (route, policies string) {
	kind, match := "HTTPRoute", d.match
	if d.often(25) {
		kind, match = "GRPCRoute", d.method
	}
	route = fmt.Sprintf(orderRoute, name, pick(d, orderHosts...), kind)
	for i := range 1 + d.IntN(3) {
		rule := ""
		if d.often(60) {
			rule = fmt.Sprintf("name: r%d, ", i)
			if d.often(60) {
				policies += fmt.Sprintf(orderPolicy, fmt.Sprintf("%s-r%d", name, i), name, fmt.Sprintf(", sectionName: r%d", i), kind)
			}
		}
		matches := make([]string, 1+d.IntN(2))
		for i := range matches {
			matches[i] = match()
		}
		route += fmt.Sprintf("  - {%smatches: [%s], backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: upstream}]}\n", rule, strings.Join(matches, ", "))
	}
	if d.often(80) {
		policies += fmt.Sprintf(orderPolicy, name, name, "", kind)
	}
	return route, policies
}

func (d dice) request() parts.Request {
	r := parts.Request{Method: pick(d, "GET", "POST"), Target: pick(d, "a", "b", "c", "c.a", "d.c.a") + ".order.example.test" +
		pick(d, "/", "/x", "/x/", "/x/y", "/x/y/z", "/xy", "/xyz", "/y", "/z") + pick(d, "", "?q=1", "?q=2&r=1", "?r=2", "?q=2&q=1")}
	for _, name := range []string{"x-one", "x-two"} {
		if d.often(50) {
			r.Headers = append(r.Headers, name+": "+pick(d, "1", "2"))
		}
	}
	if d.often(30) {
		r.Method = "POST"
		r.Headers = append(r.Headers, "content-type: application/grpc")
	}
	return r
}

// What agentauth finds by itself is held to what Envoy Gateway and its Envoy really do with the same routes.
func TestTheRouteThatIsFoundIsTheOneThatEnvoyTakes(t *testing.T) {
	s, d := theStage, dice{rand.New(rand.NewPCG(1, 1))}
	var routes, policies strings.Builder
	for i := range 25 {
		route, own := d.route(fmt.Sprintf("order-%d", i))
		routes.WriteString(route)
		policies.WriteString(own)
	}
	last := fmt.Sprintf(orderRoute, "order-last", "last.example.test", "HTTPRoute") + "  - backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: upstream}]\n"
	fmt.Fprintf(&policies, orderPolicy, "order-last", "order-last", "", "HTTPRoute")
	s.kubectl(t, policies.String(), "apply", "-f", "-")
	s.kubectl(t, routes.String(), "apply", "-f", "-")
	s.kubectl(t, last, "apply", "-f", "-")
	defer func() {
		s.kubectl(t, last+routes.String()+policies.String(), "delete", "--wait=false", "-f", "-")
	}()
	for _, way := range []parts.Way{s.teams, s.blind} {
		s.isRefused(t, way, parts.Get("last.example.test/"), verdict{"shop/order-last", "NoCredential", 401})
	}
	counts, before := map[string]int{}, s.upstream.Count()
	for range 1000 {
		r := d.request()
		told, err := s.ask(t, s.teams, r)
		if errors.Is(err, errUnasked) {
			counts["no route"]++
			continue
		}
		parts.Must(t, err)
		found, err := s.ask(t, s.blind, r)
		parts.Must(t, err)
		switch {
		case found == told:
			counts["the same"]++
		case found.Reason == "AmbiguousMatch", found.Reason == "BadRequest":
			counts[found.Reason]++
		default:
			counts["different"]++
			t.Errorf("%v: Envoy's route has %v, and agentauth found %v", r, told, found)
		}
	}
	if s.upstream.Count() != before {
		t.Error("a request without a credential reached the upstream")
	}
	t.Log(counts)
	if counts["the same"] < 300 || counts["AmbiguousMatch"] == 0 {
		t.Errorf("expected some of both, got %v", counts)
	}
}
