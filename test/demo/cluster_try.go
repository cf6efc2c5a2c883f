package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/agentauth-dev/agentauth/test/parts"
)

// tryThisInCluster says what to do with what is left up.
func (s *stage) tryThisInCluster() error {
	nsenter, err := nsenter()
	if err != nil {
		return err
	}
	root, err := parts.Root()
	if err != nil {
		return err
	}
	curl := "inside curl -i --cacert " + s.caFile
	_, err = fmt.Fprintf(s.out, `
Everything stays up until Ctrl-C, in a network of its own. In a shell of another terminal, this leads there:

  inside() { %[1]s -- "$@"; }
  kubectl() { inside %[2]s --kubeconfig %[3]s "$@"; }

Then try:

  %[4]s -u alice:%[5]s %[6]s/reports
  %[4]s -H 'host: orders.example.com' -H 'x-api-key: %[7]s' %[6]s/
  %[4]s -H 'host: orders.example.com' -H 'x-api-key: %[7]s' %[6]s/refunds
  inside curl -i -H 'host: status.example.com' %[8]s/

  TOKEN=$(inside curl -s %[9]s -d grant_type=client_credentials -d client_id=orders-agent \
    -d client_secret=%[10]s -d scope=orders:write -d resource=https://orders.example.com | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  %[4]s -H 'host: orders.example.com' -H "authorization: Bearer $TOKEN" %[6]s/refunds

  kubectl get httproutes,securitypolicies,agentauthpolicies -A
  kubectl -n shop describe aap search
  kubectl -n shop delete aap search

No pods are to be seen, for there is no node: agentauth runs beside the cluster, as its Deployment says.
What it says of each request: %[11]s
Its metrics:                  inside curl http://%[12]s/metrics
`, nsenter, filepath.Join(root, ".parts", "bin", "kubectl"), s.cluster.Kubeconfig, curl, alicesPassword, s.https, tillsKey, s.http,
		s.provider.TokenURL(), clientSecret, s.agentauth.Log, s.agentauth.MetricsAddress)
	return err
}

// nsenter is how another terminal of the same user comes into the network of this process.
func nsenter() (string, error) {
	how := fmt.Sprintf("nsenter --target %d --net", os.Getpid())
	users, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return "", err
	}
	if of := strings.Fields(string(users)); len(of) == 3 && of[2] == "1" { // parts.Private makes a user of a non-root's own
		how += " --user --preserve-credentials"
	}
	return how, nil
}
