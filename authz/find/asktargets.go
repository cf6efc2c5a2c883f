package find

import (
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/match"
)

// targets asks for the targets of a policy that are in force.
func (a *asking) targets() {
	var all targetAnswer
	for _, t := range a.attached.Status(a.number).InForce() {
		if a.attached.Status(a.number).Astray(t) {
			all.astray = true
			continue
		}
		one, at := a.target(t), fmt.Sprintf("spec.targetRefs[%d]", t)
		switch {
		case one.decides:
		case one.unserved:
			a.Doubts.Problems = append(a.Doubts.Problems, authz.Problem{Severity: authz.Ambiguous, Field: at,
				Message: "requests for it are served by other routes with equal or better matches, older ones first, so no policy of it decides; change its matches or hostnames"})
		case one.gone:
			a.Doubts.Problems = append(a.Doubts.Problems, authz.Problem{Severity: authz.Conflicting, Field: at,
				Message: "another policy names a rule that the route does not have, so all of the route answers 503; correct that policy"})
		}
		all = targetAnswer{all.decides || one.decides, all.unserved || one.unserved, all.gone || one.gone, all.held || one.held, all.astray}
	}
	switch {
	case all.decides:
		a.Decides, a.Partly = true, slices.ContainsFunc(a.Doubts.Problems, func(p authz.Problem) bool { return p.Severity == authz.Conflicting })
	case all.gone && !all.unserved:
		a.Rejects, a.Reason = true, v1alpha1.ReasonConflicted
	case all.unserved:
		a.Reason, a.Message = v1alpha1.ReasonConflicted, "requests for its targets are served by other routes"
	case all.astray:
		a.Reason, a.Message = v1alpha1.ReasonTargetNotFound, noGateway
	case all.held:
		a.Reason, a.Message = v1alpha1.ReasonOverridden, "each route or rule that it is for has a policy of its own"
	default:
		a.Reason, a.Message = v1alpha1.ReasonTargetNotFound, "no route is on its Gateways (yet), so no request is decided by it"
	}
}

const noGateway = "no Gateway of the route counts: those of its parentRefs are of GatewayClasses that do not, " +
	"so the policy decides only where the proxy says that it took the route; the operator must name the class (--gateway-classes) or, without that flag, its controller must accept it"

// targetAnswer is what became of the places of a target: the policy decides some,
// other routes serve the requests for some, and of some another policy decides,
// or is gone. astray: no Gateway of the route counts.
type targetAnswer struct{ decides, unserved, gone, held, astray bool }

// target asks for one target.
func (a *asking) target(t int) (out targetAnswer) {
	for place := range a.attached.Places(a.number, t) {
		switch {
		case place.Held:
			out.held, out.gone = true, out.gone || place.Gone
		case a.spent() || a.place(place, nil):
			out.decides = true
			return out
		default:
			out.unserved = true
		}
	}
	return out
}

// place asks for the requests of a rule on a listener, of which those that match
// with as well, if it is given.
func (a *asking) place(place attach.Place, with *gatewayv1.HTTPRouteMatch) bool {
	var word *authz.RouteRef
	if place.Unattached {
		ref := place.Rule.Ref()
		word = &ref
	}
	for _, h := range place.Hostnames {
		for _, m := range place.Matches {
			all := []gatewayv1.HTTPRouteMatch{m}
			if with != nil {
				all = match.Both(*with, m)
			}
			for _, m := range all {
				if a.match(place, h, m, word) {
					return true
				}
			}
		}
	}
	return false
}

func (a *asking) match(place attach.Place, hostname string, m gatewayv1.HTTPRouteMatch, word *authz.RouteRef) bool {
	for s := range match.Samples(match.SampleHost(hostname), m) {
		if place.Rule.GRPC() && m.Method == nil {
			s.Method = "POST"
			s.Headers = append(s.Headers, match.Field{Name: "content-type", Value: "application/grpc"})
		}
		if ok, _ := a.ask(s, word); ok || a.spent() {
			return true
		}
	}
	return false
}
