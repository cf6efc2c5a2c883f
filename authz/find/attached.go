package find

import (
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// findAttached finds the policy if there are routes of Gateway API: the route
// first, by the proxy's word or for every reading of the path, then the policy.
func (s *Snapshot) findAttached(r *authz.Request, view match.View, trace *authz.Trace) found {
	if r.Route != nil {
		rules, ok := s.attached.Named(r.Route, r.Host)
		if !ok {
			const why = "the proxy names a route, or a rule of it, that is not known here"
			refused(trace, why)
			return answerWith(policy.Unavailable(authz.RouteUnknown, why, 0))
		}
		f := s.resolve(rules, r.Host, view, (*match.Index).LookupAll)
		s.explain(trace, r, rules, f)
		return f
	}
	var namespaces []string // of every reading
	f, agree := match.EveryReading(view.Path, func(path string) (found, bool) {
		view.Path = path
		f := s.findServed(r, view, trace)
		namespaces = union(namespaces, f.namespaces)
		return f, f.outcome == answered
	}, found.same)
	if !agree {
		return twoReadings(trace)
	}
	f.namespaces = namespaces
	return f
}

// union adds to a list the strings that it lacks. An empty list costs no copy.
func union(list, more []string) []string {
	if list == nil {
		return more
	}
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// findServed finds the policy for one reading of the path.
func (s *Snapshot) findServed(r *authz.Request, v match.View, trace *authz.Trace) found {
	served := s.attached.Serve(r.Host, v)
	var f found
	switch {
	case served.Late:
		return tooLate()
	case served.Cause != "":
		return ambiguousRequest(served.Cause)
	case len(served.Rules) == 0:
		f = s.unserved(r, v, !s.options.OneTenant)
	default:
		f = s.resolve(served.Rules, r.Host, v, (*match.Index).Lookup)
	}
	s.explain(trace, r, served.Rules, f)
	return f
}

type lookup = func(*match.Index, string, match.View) match.Result

// resolve finds the policy of each rule. One policy decides if all rules lead to
// it, or some to it and the others to none.
func (s *Snapshot) resolve(rules []attach.ServingRule, host string, v match.View, look lookup) found {
	out := found{served: true}
	var own map[string]found // by namespace
	for _, rule := range rules {
		ns := rule.Namespace()
		if !slices.Contains(out.namespaces, ns) {
			out.namespaces = append(out.namespaces, ns)
		}
		f, ok := held(s.attached.Holder(rule))
		if !ok {
			var looked bool
			if f, looked = own[ns]; !looked {
				f = s.inNamespace(ns, host, v, look)
				if own == nil {
					own = map[string]found{}
				}
				own[ns] = f
			}
			if f.outcome == nobody {
				f, _ = held(s.attached.Fallback(rule))
			}
		}
		switch {
		case f.outcome == answered:
			return f
		case f.outcome == nobody, f.same(out):
		case out.outcome != nobody:
			return answerWith(policy.Unavailable(authz.AmbiguousMatch, "more than one route or Gateway may serve the request, and their policies differ", 0))
		default:
			out.outcome, out.policy = f.outcome, f.policy
		}
	}
	return out
}

func held(h attach.Holder, ok bool) (found, bool) {
	switch {
	case !ok:
		return found{}, false
	case h.TargetGone:
		return found{outcome: targetGone, policy: h.Policy}, true
	}
	return decidedBy(h.Policy), true
}

// inNamespace finds the policy by the `routes` of the policies of one namespace.
func (s *Snapshot) inNamespace(namespace, host string, v match.View, look lookup) found {
	index := s.namespaceIndex[namespace]
	if index == nil {
		return found{}
	}
	return s.foundBy(look(index, host, v))
}

// unserved finds the policy of a request that no route serves. Among tenants a
// host of routes belongs to their namespaces: the `routes` of policies of other
// namespaces do not count there.
func (s *Snapshot) unserved(r *authz.Request, v match.View, tenants bool) found {
	namespaces := s.attached.Namespaces(r.Host)
	all := s.foundBy(s.index.Lookup(r.Host, v))
	if !tenants || len(namespaces) == 0 {
		return all
	}
	var out found
	for _, ns := range namespaces {
		f := s.inNamespace(ns, r.Host, v, (*match.Index).Lookup)
		switch {
		case f.outcome == answered:
			return f
		case f.outcome == nobody, f.same(out):
		case out.outcome != nobody:
			return answerWith(policy.Unavailable(authz.AmbiguousMatch, "policies of more than one namespace that has the host match", 0))
		default:
			out = f
		}
	}
	if out.outcome == nobody && all.outcome != nobody {
		return hostDisputed() // the policy of a namespace that lost the host
	}
	return out
}

// explain records the rules and the policy that were found.
func (s *Snapshot) explain(trace *authz.Trace, r *authz.Request, rules []attach.ServingRule, f found) {
	if trace == nil {
		return
	}
	var by []string
	for _, rule := range rules {
		by = append(by, rule.String())
	}
	if len(by) > 0 {
		trace.Add(authz.Step{Stage: authz.StageMatch, Outcome: authz.StepServed, Read: asked(trace, r), Detail: strings.Join(by, ", or by ")})
	}
	switch f.outcome {
	case answered:
		refused(trace, f.answer.Detail)
	case targetGone:
		trace.Add(authz.Step{Stage: authz.StageMatch, Outcome: authz.StepRefused, Detail: "policy " + s.policies[f.policy].Stages.Name() + " claims it, and its target is not there"})
	case policyFound:
		trace.Add(authz.Step{Stage: authz.StageMatch, Name: s.policies[f.policy].Stages.Name(), Outcome: authz.StepFound})
	case nobody:
	}
}
