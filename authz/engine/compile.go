package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/agentauth-dev/agentauth/api/v1alpha1"
	"github.com/agentauth-dev/agentauth/authz/find"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

// Compile makes a Snapshot of an Input, and a Report on every policy, the older
// policies first. It does no I/O. It takes over from the snapshot in force
// whatever did not change, and mutates nothing of it.
func (e *Engine) Compile(in Input) (*Snapshot, []Report) {
	return e.compile(in, func(c *compiler, changed []*v1alpha1.AgentAuthPolicy) []*compiled {
		out := make([]*compiled, len(changed))
		for i, source := range changed {
			out[i] = c.compile(source)
		}
		return out
	})
}

// CompileApart is Compile for policies of many owners: none of them holds up the
// others. A policy that is not compiled when patience ends is invalid in the
// Snapshot, and so is one whose compile panics. Late says when to compile again.
func (e *Engine) CompileApart(in Input, patience time.Duration) (*Snapshot, []Report) {
	return e.compile(in, func(c *compiler, changed []*v1alpha1.AgentAuthPolicy) []*compiled {
		return e.apart.pass(c, changed, patience)
	})
}

// Late is signalled when a policy was compiled that a CompileApart did not wait
// for.
func (e *Engine) Late() <-chan struct{} { return e.apart.jobs.Ended() }

func (e *Engine) compile(in Input, compile compilePolicies) (*Snapshot, []Report) {
	prev := e.current.Load()
	if prev == nil {
		prev = &Snapshot{}
	}
	c := &compiler{engine: e, prev: prev, objects: e.objects.View(prev.objects, in.Secrets, in.ConfigMaps, in.ReferenceGrants)}
	s := &Snapshot{hostnameGrants: in.HostnameGrants, oneTenant: e.options.OneTenant, objects: c.objects.Kept()}
	policies := c.policies(in.Policies, compile)
	list := make([]find.Listed, len(policies))
	for i, p := range policies {
		list[i] = find.Listed{Policy: &p.Policy, Created: in.Policies[i].CreationTimestamp.Time}
	}
	var listed []int
	s.find, listed = find.Update(prev.find, e.options, in.find(), list)
	s.policies = make([]*compiled, len(listed))
	for _, n := range s.find.Order() {
		s.policies[n] = policies[listed[n]]
	}
	s.use(prev)
	s.behind = c.behind
	return s, s.report(prev, e.now())
}

// compilePolicies compiles policies that changed.
type compilePolicies func(*compiler, []*v1alpha1.AgentAuthPolicy) []*compiled

func nameOf(p *v1alpha1.AgentAuthPolicy) types.NamespacedName {
	return types.NamespacedName{Namespace: namespaceOf(p), Name: p.Name}
}

// namespaceOf is the namespace of a policy.
func namespaceOf(p *v1alpha1.AgentAuthPolicy) string { return cmp.Or(p.Namespace, "default") }

// routes makes the entries of a policy. An invalid match makes the policy
// invalid. It still reserves its whole hostname, so that no other policy answers
// there.
func (b *building) routes(routes []v1alpha1.Route) {
	patterns := validate.Patterns(routes)
	if patterns > validate.MaxPatterns || validate.Entries(routes) > validate.MaxEntries {
		b.wholeHosts(routes) // compiles none of the matches
		return
	}
	b.Patterns = int32(patterns) // #nosec G115 -- far fewer
	for i, route := range routes {
		b.entries(i, route.Hostnames, b.matches(i, route.Matches))
	}
}

// wholeHosts makes one entry for each hostname, which reserves all of it.
func (b *building) wholeHosts(routes []v1alpha1.Route) {
	for i, route := range routes {
		b.entries(i, route.Hostnames, []*gatewayv1.HTTPRouteMatch{find.Everything})
	}
}

func (b *building) entries(route int, hostnames []v1alpha1.Hostname, matches []*gatewayv1.HTTPRouteMatch) {
	b.Entries = slices.Grow(b.Entries, len(hostnames)*len(matches))
	for h, host := range hostnames {
		if problems := match.Check(match.Entry{Hostname: string(host)}); problems != nil {
			b.unmatchable(fmt.Sprintf("spec.routes[%d].hostnames[%d]", route, h), problems[0].Message)
			continue
		}
		for m := range matches {
			b.Entries = append(b.Entries, find.Entry{Hostname: string(host), Match: matches[m], Route: int32(route), Number: int32(m)}) // #nosec G115 -- far fewer
		}
	}
}

// matches are those of a route, as its source has them. One that is wrong is for the
// whole hostname.
func (b *building) matches(route int, list []gatewayv1.HTTPRouteMatch) []*gatewayv1.HTTPRouteMatch {
	source, out := b.origin.source.Spec.Routes[route].Matches, make([]*gatewayv1.HTTPRouteMatch, len(list))
	for i, m := range list {
		at := fmt.Sprintf("spec.routes[%d].matches[%d]", route, i)
		problems := match.Check(match.Entry{Hostname: "*", Match: m})
		for _, p := range problems {
			b.unmatchable(at+strings.TrimPrefix(p.Field, "match"), p.Message)
		}
		if out[i] = find.Everything; problems == nil && i < len(source) { // a default has no source
			out[i] = &source[i]
		}
	}
	return out
}

func (b *building) unmatchable(path, detail string) {
	if b.Invalid = true; !b.origin.told(path) { // Validate may have said it already
		b.reject(path, detail)
	}
}
