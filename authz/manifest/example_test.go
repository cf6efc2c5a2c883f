package manifest_test

import (
	"fmt"

	"github.com/agentauth-dev/agentauth/authz/manifest"
)

// Everything that is wrong is reported at once, with line and column.
func ExampleRead() {
	tree, problems := manifest.Read([]manifest.File{{Path: "orders.yaml", Data: []byte(`
apiVersion: agentauth.dev/v1alpha1
kind: AgentAuthPolicy
metadata: {name: orders, namespace: shop}
spec:
  routes:
  - hostname: [orders.example.com]
  authentication:
    methods:
    - name: keys
      apiKey: {selector: {matchLabels: {team: 1}}}
`)}})
	fmt.Println(tree == nil)
	for _, p := range problems {
		fmt.Printf("%s:%d:%d: %s: %s\n", p.File, p.Line, p.Column, p.Object, p)
	}
	// Output:
	// true
	// orders.yaml:7:5: AgentAuthPolicy shop/orders: spec.routes[0]: unknown field "hostname"; did you mean "hostnames"?
	// orders.yaml:11:47: AgentAuthPolicy shop/orders: spec.authentication.methods[0].apiKey.selector.matchLabels[team]: expected a string, came the number 1; quote it: "1"
}
