package policydir_test

import (
	"fmt"

	"github.com/agentauth-dev/agentauth/authz/policydir"
)

// A command that checks manifests reads them once.
func ExampleLoad() {
	tree, problems := policydir.Load("../../config/samples/api-keys.yaml")
	for _, p := range problems {
		fmt.Printf("%s:%d: %s: %s\n", p.File, p.Line, p.Object, p)
	}
	if tree == nil {
		return // nothing is used of files with a mistake
	}
	for _, p := range tree.Input.Policies {
		at := tree.Locate("AgentAuthPolicy", p.Namespace, p.Name, "spec.routes")
		fmt.Printf("%s/%s has its routes on line %d\n", p.Namespace, p.Name, at.Line)
	}
	// Output: samples/inventory has its routes on line 12
}
