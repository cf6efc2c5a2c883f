package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

const keyHeader = "| API keys | text each | objects each | compiled each | load | one key | a decision |\n|---|---|---|---|---|---|---|"

// perSecret is how many API keys a Secret has.
const perSecret = 1000

func measureKeys(ctx context.Context, n int) (string, error) {
	before := heap()
	p := number(1)
	p.Spec.Authorization = nil
	p.Spec.Authentication.Methods[0].APIKey.Selector.MatchLabels = map[string]v1alpha1.LabelValue{"app": "robots"}
	in := engine.Input{Policies: []*v1alpha1.AgentAuthPolicy{decoded(p)}}
	text := 0
	for first := 0; first < n; first += perSecret {
		o := secretOf(p.Namespace, fmt.Sprint("robots-", first), "robots", first, min(n, first+perSecret))
		text += len(manifest(o))
		in.Secrets = append(in.Secrets, o)
	}
	objects := heap()
	of := newProduct()
	cold, err := of.load(ctx, in)
	if err != nil {
		return "", err
	}
	compiled := heap()
	one, err := of.changes(ctx, 5, func(i int) engine.Input {
		next := in
		next.Secrets = append(slices.Clip(in.Secrets), secretOf(p.Namespace, "robots-new", "robots", n+i, n+i+1))
		return next
	})
	if err != nil {
		return "", err
	}
	decision, err := of.decide(ctx, authz.Allow, func(i int) authz.Raw {
		return get(host(1), "/v1/orders", authz.Header{Name: "x-api-key", Value: key(i * 7919 % n)})
	})
	if err != nil {
		return "", err
	}
	row := fmt.Sprintf("| %d | %d B | %d B | %d B | %s | %s | %d ns |", n, text/n, (objects-before)/n, (compiled-objects)/n, cold, one, decision.Nanoseconds())
	runtime.KeepAlive(in)
	keep(of)
	return row, nil
}
