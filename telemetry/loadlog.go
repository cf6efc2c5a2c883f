package telemetry

import (
	"fmt"
	"log/slog"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/telemetry/audit"
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
	// Changes are the first policies that the load changed, Changed how many it did.
	Changes []authz.PolicyChange
	Changed int
	// NotReady is how many policies are not Ready, and Hash the same number where the
	// same policies are in force.
	NotReady int
	Hash     uint64
}

// LoadLog says what came of loads: in log, metrics and readiness. Its fields are
// required, but for Often.
type LoadLog struct {
	Log     *slog.Logger
	Metrics *Metrics
	// Audit records changes of policies; nil records none.
	Audit     *audit.Stream
	Readiness *Readiness
	// Line is a problem in one line.
	Line func(authz.Problem) string
	// Often is for a source that is loaded whenever any of many tenants changes
	// anything, a cluster: a problem is logged when it is new, and a load at the
	// level of debugging, but for the first.
	Often bool

	logged map[string]bool // the problems of the last load, if Often
	begun  bool            // some load is in force
}

// Loaded says what came of a load. Loads come one after the other.
func (l *LoadLog) Loaded(load Load) {
	if !load.InForce {
		l.refused(load)
		return
	}
	l.begun = true
	l.Audit.Policies(load.Changes, load.Changed)
	lines := make([]string, 0, len(load.Problems))
	for _, p := range load.Problems {
		if p.Lint != authz.KeysUnreachable { // KeyLog, /readyz and metrics of key sets tell it when it changes
			lines = append(lines, l.Line(p))
		}
	}
	l.logProblems(lines)
	l.Metrics.InForce(load.Policies, len(lines))
	l.Metrics.Agreement(load.NotReady, load.Hash)
	l.Readiness.InForce(lines)
	l.logChanges(load)
	counts := []any{"policies", len(load.Policies), "secrets", load.Secrets, "configMaps", load.ConfigMaps}
	if l.Often {
		l.Log.Debug("policies are in force", counts...)
	}
	if load.First || !l.Often {
		l.Log.Info("policies are in force", counts...)
	}
}

// maxLogged is how many changes of one load are logged one by one.
const maxLogged = 20

// logChanges says which policies are in force now that were not, and which are not
// any more.
func (l *LoadLog) logChanges(load Load) {
	logged := load.Changes[:min(len(load.Changes), maxLogged)]
	for _, c := range logged {
		message := "policy in force"
		switch {
		case c.Kind == authz.PolicyRemoved:
			message = "policy no longer in force"
		case c.Ready == v1alpha1.ReasonInvalid:
			message = "policy not in force, its requests are answered 503"
		}
		about := []any{"policy", c.Policy, "change", string(c.Kind)}
		switch {
		case c.From == c.To && c.To == 0: // from files
		case c.Kind == authz.PolicyChanged:
			about = append(about, "generation", fmt.Sprintf("%d→%d", c.From, c.To))
		default:
			about = append(about, "generation", fmt.Sprint(max(c.From, c.To)))
		}
		if c.Kind != authz.PolicyRemoved {
			about = append(about, "digest", c.Digest, "ready", c.Ready)
		}
		l.Log.Info(message, about...)
	}
	if more := load.Changed - len(logged); more > 0 {
		l.Log.Info("more policies changed than are logged one by one", "policies", load.Changed, "notLogged", more)
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
	message := "policies refused; what was loaded before stays in force"
	if !l.begun {
		message = "policies refused; nothing was loaded before, so nothing is in force"
	}
	for _, p := range load.Problems {
		if p.Severity.Fatal() {
			l.Log.Error(message, "problem", l.Line(p))
			lines = append(lines, l.Line(p))
		}
	}
	l.Metrics.Refused()
	l.Readiness.Refused(lines)
}
