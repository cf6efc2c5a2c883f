package find

import (
	"slices"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/policy"
)

// elsewhere finds what decides a request in the eyes of servers that read its path
// otherwise: in another letter case, with or without a final slash, and in the forms
// that the policy found admits. It returns f itself where all of them find that.
func (s *Snapshot) elsewhere(r *authz.Request, view match.View, f found) found {
	for _, path := range r.PathReadings {
		view.Path = path
		if other := s.byPath(r, view, nil); !other.same(f) {
			return other
		}
	}
	other := s.respelledIn(r, view, r.RawPath, f)
	for _, path := range r.PathReadings {
		if !other.same(f) {
			break
		}
		other = s.respelledIn(r, view, path, f)
	}
	return other
}

// respelledIn is respelled for a path and each of its variants.
func (s *Snapshot) respelledIn(r *authz.Request, view match.View, path string, f found) found {
	view.Path = path
	if other := s.respelled(r, view, f); !other.same(f) {
		return other
	}
	for _, view.Path = range match.Variants(path) {
		if other := s.respelled(r, view, f); !other.same(f) {
			return other
		}
	}
	return f
}

// admits says whether what was found admits the forms of the path.
func (s *Snapshot) admits(f found, r *authz.Request) bool {
	return r.PathForms == 0 || f.outcome == policyFound && r.PathForms&^s.policies[f.policy].Paths == 0
}

func notAdmitted(r *authz.Request, trace *authz.Trace) found {
	refused(trace, "the path needs `paths.allow: ["+r.PathForms.Names()+"]` of the policy that decides")
	return answerWith(policy.BadRequest(r.PathForms.Refused()))
}

// respelled finds what decides a request in the eyes of a server to which letter
// case does not matter, for one reading of its path.
func (s *Snapshot) respelled(r *authz.Request, v match.View, f found) found {
	if !s.hasRoutes {
		return s.amongBest(s.index, r.Host, v, f)
	}
	served := s.attached.Respelled(r.Host, v)
	if served.Late {
		return tooLate()
	}
	for _, group := range served.Groups {
		if other := s.ofGroup(group, r.Host, v, f); !other.same(f) {
			return other
		}
	}
	if !f.served {
		return s.amongBest(s.index, r.Host, v, f)
	}
	for _, ns := range f.namespaces {
		if index := s.namespaceIndex[ns]; index != nil {
			if other := s.amongBest(index, r.Host, v, f); !other.same(f) && s.byNamespace(r, v, ns) {
				return other
			}
		}
	}
	return f
}

// byNamespace says whether the `routes` of a namespace come before what else may
// decide the request: some rule of the namespace serves it and is no policy's target.
func (s *Snapshot) byNamespace(r *authz.Request, v match.View, ns string) bool {
	rules := s.attached.Serve(r.Host, v).Rules
	if r.Route != nil {
		rules, _ = s.attached.Named(r.Route, r.Host)
	}
	return slices.ContainsFunc(rules, func(rule attach.ServingRule) bool {
		_, held := s.attached.Holder(rule)
		return rule.Namespace() == ns && !held
	})
}

// ofGroup is f if one of the best rules leads to it, else what the first leads to.
func (s *Snapshot) ofGroup(group [][]attach.ServingRule, host string, v match.View, f found) found {
	first := f
	for i, rules := range group {
		other := s.ofRules(rules, host, v, f)
		if other.same(f) {
			return f
		}
		if i == 0 {
			first = other
		}
	}
	return first
}

// ofRules is what a rule leads to on several listeners: to one policy, or to one and
// to none.
func (s *Snapshot) ofRules(rules []attach.ServingRule, host string, v match.View, f found) (out found) {
	for _, rule := range rules {
		other := s.ofRule(rule, host, v, f)
		switch {
		case other.outcome == answered:
			return other
		case other.outcome == nobody, other.same(out):
		case out.outcome != nobody:
			return ambiguousRequest("path")
		default:
			out = other
		}
	}
	return out
}

// ofRule is what a rule leads to. The `routes` of its namespace are asked without
// regard to letter case too.
func (s *Snapshot) ofRule(rule attach.ServingRule, host string, v match.View, f found) found {
	index := s.namespaceIndex[rule.Namespace()]
	if _, held := s.attached.Holder(rule); !held && index != nil {
		best, late := index.Respelled(host, v)
		switch {
		case late:
			return tooLate()
		case len(best) > 0:
			return ofBest(best, f)
		}
	}
	return s.resolve([]attach.ServingRule{rule}, host, v, (*match.Index).Lookup)
}

// amongBest is f if it is one of the best of an index, else the best.
func (s *Snapshot) amongBest(index *match.Index, host string, v match.View, f found) found {
	best, late := index.Respelled(host, v)
	switch {
	case late:
		return tooLate()
	case len(best) == 0:
		return f
	}
	return ofBest(best, f)
}

// ofBest is f if one of the entries leads to it, else what the first leads to.
func ofBest(best []*match.Candidate, f found) found {
	if slices.ContainsFunc(best, func(c *match.Candidate) bool { return ofOwner(c).same(f) }) {
		return f
	}
	return ofOwner(best[0])
}

func ofOwner(c *match.Candidate) found {
	if c.Owner() == disputedOwner {
		return hostDisputed()
	}
	return decidedBy(c.Owner())
}
