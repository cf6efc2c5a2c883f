package webhook

import (
	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/engine"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

// Judge says of a policy what Compile says of it by itself: whoever asks learns
// nothing of what else there is.
type Judge struct {
	// Options are those of the engine that will decide by the policy.
	Options engine.Options
	// HostnameGrants are the ConfigMaps of hostname grants in force; nil: there are
	// none.
	HostnameGrants func() []*engine.Object
	// Beside, if not nil, warns of the only policy of a snapshot, beside the policies
	// of its namespace that are in force.
	Beside func(*engine.Snapshot) []authz.Problem
	// CheckURL says why a URL will never be fetched; nil: that is not told.
	CheckURL func(url string) error
}

// verdict is nil and nil for a policy that nothing is wrong with.
type verdict struct {
	invalid  []authz.Problem
	warnings []string
}

// judge takes a policy in a namespace. It costs what the policy costs, however
// many others there are.
func (j *Judge) judge(p *v1alpha1.AgentAuthPolicy) (v verdict) {
	// Compile costs what the CRD's limits let it cost: routes are hostnames times
	// matches. Whoever reaches the port may send what no API server ever saw, and
	// must not use up the memory of what decides.
	if invalid := broken(p); invalid != nil {
		return verdict{invalid: invalid}
	}
	// An engine of its own: nothing of it outlives the review, and it is never
	// put in force, so that no key is fetched.
	e := engine.New(engine.Deps{
		Remote: engine.Remote{Keys: func(engine.RemoteSource) engine.RemoteKeys { return noKeys{} }, CheckURL: j.CheckURL},
	}, j.Options)
	in := engine.Input{Policies: []*v1alpha1.AgentAuthPolicy{p}}
	if j.HostnameGrants != nil {
		in.HostnameGrants = j.HostnameGrants()
	}
	snapshot, reports := e.Compile(in)
	for _, problem := range reports[0].Problems {
		if (problem.Lint == authz.HidesWildcard || problem.Lint == authz.ShadowedAlone) && j.Beside != nil {
			continue // as Beside has it
		}
		if problem.Lint == authz.SelectsNothing {
			continue // Secrets are not here
		}
		switch problem.Severity {
		case authz.Invalid:
			v.invalid = append(v.invalid, problem)
		case authz.Warning, authz.Conflicting: // without others: what the operator does not grant
			v.warnings = append(v.warnings, problem.String())
		default: // of objects that are not here
		}
	}
	if j.Beside != nil {
		for _, problem := range j.Beside(snapshot) {
			v.warnings = append(v.warnings, problem.String())
		}
	}
	return v
}

// broken are the rules of the API that a policy breaks.
func broken(p *v1alpha1.AgentAuthPolicy) (out []authz.Problem) {
	for _, problem := range validate.Policy(validate.Default(p)) {
		if problem.Severity.Fatal() {
			out = append(out, problem)
		}
	}
	return out
}

// noKeys stands for key sets that are fetched: compiling fetches none.
type noKeys struct{ engine.RemoteKeys }
