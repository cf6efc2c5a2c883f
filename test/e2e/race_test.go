//go:build e2e && race

package e2e

// A suite that looks for data races looks for them in agentauth as well, and needs no profile for that.
var buildFlags = []string{"-race", "-pgo=off"}

// hashCost makes a bcrypt hash of about 90 ms with the race detector.
const hashCost = 7
