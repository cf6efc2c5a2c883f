//go:build e2e && race

package e2e

// A suite that looks for data races looks for them in agentauth as well.
var buildFlags = []string{"-race"}
