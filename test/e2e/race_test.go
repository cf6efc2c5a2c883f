//go:build e2e && race

package e2e

// A suite that looks for data races looks for them in agentauth as well.
var buildFlags = []string{"-race"}

// hashCost makes a bcrypt hash of about 90 ms with the race detector.
const hashCost = 7
