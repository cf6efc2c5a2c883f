package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// found is what decides a request: a policy, or an answer where none does.
type found struct {
	targetHolder
	// namespaces are those of the routes that may serve the request.
	namespaces []string
	// answer is given instead.
	answer *authz.Decision
	// none: no policy claims it; served: though some route serves it.
	none, served bool
}

func answered(d authz.Decision) found { return found{answer: &d} }

func ambiguousRequest(cause string) found {
	return answered(badRequest(&authz.BadRequestError{
		Problem: "the " + cause + " can be read in two ways that lead to different policies"}))
}

func tooLate() found {
	return answered(unavailable(authz.Unavailable, "the policy could not be found in time", 0))
}

// findAttached finds the policy where there are routes of Gateway API: the
// route first, by the proxy's word or by every reading of the path, then the
// policy.
func (e *Engine) findAttached(ctx context.Context, s *Snapshot, r *authz.Request, rec *recorder) found {
	view := match.View{Method: r.Method, Path: r.RawPath, Query: r.RawQuery, Headers: headers{r}, Ctx: ctx}
	if r.Route != nil {
		servingRules, ok := s.attached.named(r.Route, r.Host)
		if !ok {
			rec.add("match", "the proxy names a route, or a rule of it, that is not known here")
			return answered(unavailable(authz.RouteUnknown, "the proxy names a route, or a rule of it, that is not known here", 0))
		}
		f := s.resolve(servingRules, r.Host, view, (*match.Index).LookupAll)
		f.explain(rec, r, servingRules)
		return f
	}
	var namespaces []string
	f, agree := match.EveryReading(r.RawPath, func(path string) (found, bool) {
		view.Path = path
		f := e.findServed(s, r, view, rec)
		for _, ns := range f.namespaces {
			if !slices.Contains(namespaces, ns) {
				namespaces = append(namespaces, ns)
			}
		}
		return f, f.answer != nil
	}, func(a, b found) bool { return a.targetHolder == b.targetHolder && a.none == b.none })
	if !agree {
		rec.add("match", "the path can be read in two ways that lead to different policies")
		return ambiguousRequest("path")
	}
	f.namespaces = namespaces
	return f
}

// findServed finds the policy for one reading of the path.
func (e *Engine) findServed(s *Snapshot, r *authz.Request, v match.View, rec *recorder) found {
	served := s.attached.serve(r.Host, v)
	switch {
	case served.late:
		return tooLate()
	case served.cause != "":
		return ambiguousRequest(served.cause)
	case len(served.servingRules) == 0:
		f := s.unserved(r, v, !e.options.OneTenant)
		f.explain(rec, r, nil)
		return f
	}
	f := s.resolve(served.servingRules, r.Host, v, (*match.Index).Lookup)
	f.explain(rec, r, served.servingRules)
	return f
}

type lookup = func(*match.Index, string, match.View) match.Result

// resolve finds the policy of each rule. If they lead to one policy, or to one
// and to none, it decides.
func (s *Snapshot) resolve(servingRules []servingRule, host string, v match.View, look lookup) found {
	out := found{none: true, served: true}
	own := map[string]found{} // by namespace
	for _, p := range servingRules {
		ns := p.route.key.namespace
		if !slices.Contains(out.namespaces, ns) {
			out.namespaces = append(out.namespaces, ns)
		}
		var c targetHolder
		if at := s.attached.override(p.on); at != nil {
			c = *at
		} else if at := s.attached.onRoute(p.route, p.rule); at != nil {
			c = *at
		} else {
			f, looked := own[ns]
			if !looked {
				f = s.space(ns, host, v, look)
				own[ns] = f
			}
			if f.answer != nil {
				return f
			}
			if c = f.targetHolder; c.policy == nil {
				if at := s.attached.fallback(p.on); at != nil {
					c = *at
				}
			}
		}
		if c.policy == nil || !out.none && c == out.targetHolder {
			continue
		}
		if !out.none {
			return answered(unavailable(authz.AmbiguousMatch, "more than one route or Gateway may serve the request, and their policies differ", 0))
		}
		out.targetHolder, out.none = c, false
	}
	return out
}

// space asks the `routes` of the policies of one namespace.
func (s *Snapshot) space(namespace, host string, v match.View, look lookup) found {
	index := s.attached.spaces[namespace]
	if index == nil {
		return found{none: true}
	}
	r := look(index, host, v)
	switch owner, ok := r.Owner(); {
	case r.Late:
		return tooLate()
	case r.Ambiguous:
		return ambiguousRequest(r.Cause)
	case !ok:
		return found{none: true}
	default:
		return found{targetHolder: targetHolder{policy: s.policies[owner]}}
	}
}

// unserved finds the policy of a request that no route serves. Hostnames of
// routes are claims of their namespaces, which beat the `routes` of others.
func (s *Snapshot) unserved(r *authz.Request, v match.View, tenants bool) found {
	hostNamespaces := s.attached.namespacesOf(r.Host)
	all := s.lookup(s.index, r.Host, v)
	if !tenants || len(hostNamespaces) == 0 {
		return all
	}
	out := found{none: true}
	for _, ns := range hostNamespaces {
		f := s.space(ns, r.Host, v, (*match.Index).Lookup)
		if f.answer != nil {
			return f
		}
		if f.policy == nil || f.targetHolder == out.targetHolder {
			continue
		}
		if !out.none {
			return answered(unavailable(authz.AmbiguousMatch, "policies of more than one namespace that has the host match", 0))
		}
		out = f
	}
	if out.none && (all.policy != nil || all.answer != nil) {
		return answered(hostDisputed()) // the policy of a namespace that lost the host
	}
	return out
}

func (s *Snapshot) lookup(index *match.Index, host string, v match.View) found {
	r := index.Lookup(host, v)
	switch owner, ok := r.Owner(); {
	case r.Late:
		return tooLate()
	case r.Ambiguous:
		return ambiguousRequest(r.Cause)
	case ok && owner == len(s.policies):
		return answered(hostDisputed())
	case ok:
		return found{targetHolder: targetHolder{policy: s.policies[owner]}}
	}
	return found{none: true}
}

// namespacesOf are the namespaces whose routes have a host.
func (a *attachments) namespacesOf(host string) []string {
	var out []string
	for pattern := range match.Covering(host) {
		for ns := range a.hostNamespaces[pattern] {
			if !slices.Contains(out, ns) {
				out = append(out, ns)
			}
		}
	}
	slices.Sort(out)
	return out
}

// guards says whether a policy targets a Gateway, or listener, that a host may
// come to: such a request is never one that nothing claims.
func (a *attachments) guards(host string) bool {
	guarded := func(list []*listener) bool {
		return slices.ContainsFunc(list, func(l *listener) bool {
			return match.Within(host, l.hostname) && (a.override(l) != nil || a.fallback(l) != nil)
		})
	}
	for _, list := range a.own {
		if guarded(list) {
			return true
		}
	}
	for _, list := range a.sets {
		if guarded(list) {
			return true
		}
	}
	return false
}

// explain tells how it was found.
func (f *found) explain(rec *recorder, r *authz.Request, servingRules []servingRule) {
	if rec == nil {
		return
	}
	var by []string
	for _, p := range servingRules {
		text := p.route.key.kind + " " + p.route.key.namespace + "/" + p.route.key.name
		if p.rule != "" {
			text += " (rule " + p.rule + ")"
		}
		if p.on != nil {
			text += " on Gateway " + p.on.gateway.String()
			if p.on.name != "" {
				text += " (listener " + p.on.name + ")"
			}
		}
		by = append(by, text)
	}
	if len(by) > 0 {
		rec.add("match", "%s %s on host %s is served by %s", r.Method, r.Path, r.Host, strings.Join(by, ", or by "))
	}
	switch {
	case f.answer != nil:
		rec.add("match", "%s", f.answer.Detail)
	case f.broken:
		rec.add("match", "policy %s claims it, and its target is not there", f.policy.name)
	case f.policy != nil:
		rec.add("match", "policy %s decides", f.policy.name)
	}
}
