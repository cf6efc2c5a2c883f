package main

import (
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
)

// shadowAt is where the steps of a policy with mode Shadow begin: they are the last.
func shadowAt(steps []authz.Step) int {
	at := slices.IndexFunc(steps, func(s authz.Step) bool { return s.Stage == authz.StageShadow })
	if at < 0 {
		return len(steps)
	}
	return at
}

// ownersDetail is the detail of a decision for who made the request: with what
// came beside what was wanted, be it verified or not. A server's log has what was
// verified only.
func ownersDetail(d *authz.Decision, steps []authz.Step) string {
	if d.Outcome == authz.Allow {
		return d.Detail
	}
	for _, s := range slices.Backward(steps) {
		unknown := s.Outcome == authz.StepNotMine && d.Reason == authz.UnknownCredential
		beside := s.Stage == authz.StageAuthenticate && s.Name != "" && s.Name != d.Method && !unknown
		switch {
		case s.Came == "" || beside || s.Outcome == authz.StepNotApplicable && d.Reason != authz.NoRuleApplies:
		case strings.Contains(d.Detail, s.Came):
			return d.Detail
		default:
			return strings.TrimPrefix(d.Detail+"; "+s.Came, "; ")
		}
	}
	return d.Detail
}
