// Package gateway proves agentauth behind a real Envoy Gateway: its SecurityPolicies make a real Envoy ask
// agentauth, whose policies come from the same real API server. It runs on Linux, in namespaces of its own.
package gateway
