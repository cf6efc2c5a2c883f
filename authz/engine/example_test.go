package engine_test

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
)

// Compile makes a snapshot of policies, Swap puts it in force, and Decide answers
// requests by it.
func ExampleEngine() {
	policy := &v1alpha1.AgentAuthPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "catalog"},
		Spec: v1alpha1.PolicySpec{
			Routes:         []v1alpha1.Route{{Hostnames: []v1alpha1.Hostname{"catalog.example.com"}}},
			Authentication: v1alpha1.Authentication{Methods: []v1alpha1.Method{{Name: "public", Anonymous: &v1alpha1.Anonymous{}}}},
			Authorization:  &v1alpha1.Authorization{Rules: []v1alpha1.Rule{{Name: "read-only", Require: `request.method == "GET"`}}},
		},
	}
	e := engine.New(engine.Deps{}, engine.Options{OneTenant: true})
	defer e.Close()
	snapshot, reports := e.Compile(engine.Input{Policies: []*v1alpha1.AgentAuthPolicy{policy}})
	fmt.Println(len(reports[0].Problems), "problems")
	e.Swap(snapshot)

	for _, method := range []string{"GET", "DELETE"} {
		d := e.Decide(context.Background(), authz.Raw{Method: method, Scheme: "https", Host: "catalog.example.com", Path: "/books"})
		fmt.Printf("%s %s: %s %q\n", method, d.Outcome, d.Reason, d.Rule)
	}
	// Output:
	// 0 problems
	// GET allow: Allowed ""
	// DELETE deny: RuleDenied "read-only"
}
