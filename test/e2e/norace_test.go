//go:build e2e && !race

package e2e

var buildFlags []string

// hashCost makes a bcrypt hash of about 60 ms.
const hashCost = 10
