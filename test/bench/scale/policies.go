package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

const policyHeader = "| policies | text each | objects each | compiled each | beyond the text | cold | one policy | one key | a decision |\n|---|---|---|---|---|---|---|---|---|"

func measurePolicies(ctx context.Context, n int) (string, error) {
	keySet(n / perNamespace)
	before := heap()
	in, text := many(n)
	objects := heap()
	p := newProduct()
	cold, err := p.load(ctx, in)
	if err != nil {
		return "", err
	}
	compiled := heap()
	one, err := p.changes(ctx, 9, func(i int) engine.Input { return onePolicyChanged(in, i) })
	if err != nil {
		return "", err
	}
	oneKey, err := p.changes(ctx, 9, func(i int) engine.Input {
		next := in
		next.Secrets = slices.Clone(in.Secrets)
		at := len(in.Secrets) / 2
		next.Secrets[at] = secretOf(in.Secrets[at].Namespace, in.Secrets[at].Name, in.Secrets[at].Labels["app"], (n+i)*perApp, (n+i+1)*perApp)
		return next
	})
	if err != nil {
		return "", err
	}
	decision, err := p.decide(ctx, authz.Deny, func(i int) authz.Raw { return get(host(i*7919%n), "/v1/orders") })
	if err != nil {
		return "", err
	}
	row := fmt.Sprintf("| %d | %d B | %d B | %d B | %d B | %s | %s | %s | %d ns |", n, text/n, (objects-before)/n, (compiled-objects)/n,
		(compiled-before-text)/n, cold, one, oneKey, decision.Nanoseconds())
	runtime.KeepAlive(in)
	keep(p)
	return row, nil
}

// onePolicyChanged is an Input with another header in one of its policies.
func onePolicyChanged(in engine.Input, i int) engine.Input {
	at := len(in.Policies) / 2
	in.Policies = slices.Clone(in.Policies)
	changed := in.Policies[at].DeepCopy()
	changed.Generation = int64(i + 2)
	changed.Spec.Response.Upstream.Headers[0].Value = v1alpha1.Expression(fmt.Sprintf("'agent-%d'", i))
	in.Policies[at] = changed
	return in
}

// kept is the last product, for the heap profile.
var kept = make([]*product, 1)

func keep(p *product) { kept[0] = p }

const targetHeader = "| routes with a policy each | cold | one policy | one route | a decision |\n|---|---|---|---|---|"

func measureTargets(ctx context.Context, n int) (string, error) {
	in := engine.Input{}
	in.Gateways = []*gatewayv1.Gateway{gateway()}
	for i := range n {
		p := number(i * 2)
		p.Spec.Routes, p.Name, p.Namespace = nil, fmt.Sprint("policy-", i), "shop"
		p.Spec.TargetRefs = []v1alpha1.TargetReference{{Group: v1alpha1.GatewayGroup, Kind: "HTTPRoute", Name: fmt.Sprint("route-", i)}}
		in.Policies = append(in.Policies, decoded(p))
		in.HTTPRoutes = append(in.HTTPRoutes, decoded(route(i)))
	}
	p := newProduct()
	cold, err := p.load(ctx, in)
	if err != nil {
		return "", err
	}
	one, err := p.changes(ctx, 9, func(i int) engine.Input { return onePolicyChanged(in, i) })
	if err != nil {
		return "", err
	}
	oneRoute, err := p.changes(ctx, 9, func(i int) engine.Input {
		next := in
		next.HTTPRoutes = slices.Clone(in.HTTPRoutes)
		changed := in.HTTPRoutes[n/2].DeepCopy()
		path := fmt.Sprint("/v1/orders-", i)
		changed.Generation, changed.Spec.Rules[0].Matches[0].Path.Value = int64(i+2), &path
		next.HTTPRoutes[n/2] = changed
		return next
	})
	if err != nil {
		return "", err
	}
	if _, err := p.load(ctx, in); err != nil {
		return "", err
	}
	decision, err := p.decide(ctx, authz.Deny, func(i int) authz.Raw { return get(host(i*7919%n), "/v1/orders") })
	if err != nil {
		return "", err
	}
	keep(p)
	return fmt.Sprintf("| %d | %s | %s | %s | %d ns |", n, cold, one, oneRoute, decision.Nanoseconds()), nil
}

func gateway() *gatewayv1.Gateway {
	all := gatewayv1.NamespacesFromAll
	return &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Name: "edge", Namespace: "shop"},
		Spec: gatewayv1.GatewaySpec{GatewayClassName: "edge", Listeners: []gatewayv1.Listener{{
			Name: "https", Port: 443, Protocol: gatewayv1.HTTPSProtocolType, AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: &all}},
		}}},
	}
}

func route(i int) *gatewayv1.HTTPRoute {
	kind, prefix := gatewayv1.PathMatchPathPrefix, "/v1"
	return &gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("route-", i), Namespace: "shop", Generation: 1},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "edge"}}},
			Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(host(i))},
			Rules:           []gatewayv1.HTTPRouteRule{{Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: &prefix}}}}},
		},
	}
}
