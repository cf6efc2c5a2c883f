package telemetry

import (
	"log/slog"

	"github.com/agentauth-dev/agentauth/authz"
)

// Load is what came of reading a source of policies once. It has the fields of
// the Load of authz/source, and is converted from it.
type Load struct {
	// InForce says that it decides now; First that nothing did before.
	InForce, First bool
	// Policies are the names (namespace/name) of the policies in force.
	Policies            []string
	Secrets, ConfigMaps int
	Problems            []authz.Problem
}

// LoadLog says what came of loads: in log, metrics and readiness. Its fields are
// required, but for Often.
type LoadLog struct {
	Log       *slog.Logger
	Metrics   *Metrics
	Readiness *Readiness
	// Line is a problem in one line.
	Line func(authz.Problem) string
	// Often is for a source that is loaded whenever any of many tenants changes
	// anything, a cluster: a problem is logged when it is new, and a load at the
	// level of debugging, but for the first.
	Often bool

	logged map[string]bool // the problems of the last load, if Often
}

// Loaded says what came of a load. Loads come one after the other.
func (l *LoadLog) Loaded(load Load) {
	if !load.InForce {
		l.refused(load)
		return
	}
	lines := make([]string, 0, len(load.Problems))
	for _, p := range load.Problems {
		lines = append(lines, l.Line(p))
	}
	l.logProblems(lines)
	l.Metrics.InForce(load.Policies, len(lines))
	l.Readiness.InForce(lines)
	counts := []any{"policies", len(load.Policies), "secrets", load.Secrets, "configMaps", load.ConfigMaps}
	if l.Often {
		l.Log.Debug("policies are in force", counts...)
	}
	if load.First || !l.Often {
		l.Log.Info("policies are in force", counts...)
	}
}

func (l *LoadLog) logProblems(lines []string) {
	if !l.Often {
		for _, line := range lines {
			l.Log.Warn("in force, with a problem", "problem", line)
		}
		return
	}
	now := map[string]bool{}
	for _, line := range lines {
		if !l.logged[line] {
			l.Log.Warn("a policy has a problem", "problem", line)
		}
		now[line] = true
	}
	l.logged = now
}

// refused says what is fatal; warnings would hide it.
func (l *LoadLog) refused(load Load) {
	var lines []string
	for _, p := range load.Problems {
		if p.Severity.Fatal() {
			l.Log.Error("policies refused; what was loaded before stays in force", "problem", l.Line(p))
			lines = append(lines, l.Line(p))
		}
	}
	l.Metrics.Refused()
	l.Readiness.Refused(lines)
}
