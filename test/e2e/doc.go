// Package e2e proves agentauth with real parts: the binary of `go build`, behind a real Envoy, asked by
// real clients, with a real OpenID provider. `make e2e` runs it (build tag e2e), and `make e2e-quick` what
// needs no cluster (tags e2e and quick).
//
// Most tests share one set of parts (stage_test.go) and differ in what they send. What Go's HTTP client
// would not send goes over bare connections (wire_test.go). After the suite, the logs and metrics of
// every agentauth that ran are searched for every credential that was used (main_test.go).
package e2e
