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
	"github.com/agentauth-dev/agentauth/authz"
	"github.com/agentauth-dev/agentauth/authz/attach"
	"github.com/agentauth-dev/agentauth/authz/hostgrant"
	"github.com/agentauth-dev/agentauth/authz/match"
	"github.com/agentauth-dev/agentauth/authz/validate"
)

// Compile makes a Snapshot of an Input, and a Report on every policy. It does no
// I/O. It takes over from the snapshot in force whatever did not change, and
// mutates nothing of it.
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

func (e *Engine) compile(in Input, compile func(*compiler, []*v1alpha1.AgentAuthPolicy) []*compiled) (*Snapshot, []Report) {
	prev := e.current.Load()
	if prev == nil {
		prev = &Snapshot{}
	}
	c := &compiler{engine: e, prev: &prev.memo, objects: newObjects(in, prev.memo.printed)}
	c.next.init()
	c.next.printed = c.objects.printed
	s := &Snapshot{byName: make(map[types.NamespacedName]int, len(in.Policies))}

	sources := slices.Clone(in.Policies)
	slices.SortStableFunc(sources, byAge)
	s.policies = c.policies(sources, compile)
	for i, p := range s.policies {
		s.byName[p.origin.name] = i
	}
	s.over = boundNamespaces(s.policies, prev.over)
	tenancy, problems := e.tenancy(&in)
	s.problems, s.hostnameGrants = problems, in.HostnameGrants
	s.closed = tenancy.Counts != nil && in.NoGatewayClasses && len(e.options.GatewayClasses) == 0
	s.attached = attach.New(in.Objects, attachedPolicies(s.policies), tenancy)
	s.hasRoutes = s.attached.HasRoutes()
	lost := buildIndex(s, e.options, tenancy.Grants)
	s.reserved = newReserved(s.policies, s.attached, tenancy.Grants, !e.options.OneTenant)
	s.memo, s.used, s.tenants, s.behind = c.next, used(s.policies), c.tenants(), c.behind

	reports := make([]Report, 0, len(s.policies))
	for i, p := range s.policies {
		reports = append(reports, p.report(lost[i], s.attached.Status(i)))
	}
	return s, reports
}

// attachedPolicies are the policies as package attach knows them, by index.
func attachedPolicies(policies []*compiled) []attach.Policy {
	out := make([]attach.Policy, len(policies))
	for i, p := range policies {
		spec := p.origin.spec
		out[i] = attach.Policy{Namespace: p.namespace, Name: p.origin.name.Name, TargetRefs: spec.TargetRefs, Precedence: spec.Precedence}
	}
	return out
}

// byAge orders policies as ties are decided: the older first, then by
// namespace and name.
func byAge(a, b *v1alpha1.AgentAuthPolicy) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		cmp.Compare(namespaceOf(a), namespaceOf(b)), cmp.Compare(a.Name, b.Name))
}

func nameOf(p *v1alpha1.AgentAuthPolicy) types.NamespacedName {
	return types.NamespacedName{Namespace: namespaceOf(p), Name: p.Name}
}

func namespaceOf(p *v1alpha1.AgentAuthPolicy) string { return cmp.Or(p.Namespace, "default") }

// conflicts count the entries that a policy lost, of all its entries.
type conflicts struct {
	lost, entries int
	ungranted     int // of the lost ones
	messages      []string
}

// buildIndex makes the indexes of the `routes` of policies. An invalid policy
// keeps its routes too: they answer 503.
func buildIndex(s *Snapshot, options Options, grants *hostgrant.Table) map[int]*conflicts {
	var refused []match.Entry
	count := 0
	for _, p := range s.policies {
		count += len(p.entries)
	}
	entries, fields := make([]match.Entry, 0, count), make([]string, 0, count)
	out := map[int]*conflicts{}
	of := func(owner int) *conflicts {
		if out[owner] == nil {
			out[owner] = &conflicts{entries: len(s.policies[owner].entries)}
		}
		return out[owner]
	}
	var verdicts map[tenantHost]verdict
	if !options.OneTenant {
		verdicts = judge(grants, s.policies, s.attached)
	}
	byNamespace := map[string][]match.Entry{}
	for owner, p := range s.policies {
		for i, e := range p.entries {
			v := verdicts[tenantHost{p.namespace, e.Hostname}]
			if v != inForce {
				of(owner).lose(p, i, v, s.attached.OwnsPart(p.namespace, e.Hostname))
			}
			if v != ungranted && s.attached.HasRoutesIn(p.namespace) { // no dispute counts where these routes serve
				own := e
				own.Owner = owner
				byNamespace[p.namespace] = append(byNamespace[p.namespace], own)
			}
			switch v {
			case ungranted:
				continue
			case beaten:
				refused = append(refused, e)
				continue
			case disputed:
				e.Owner = len(s.policies) // nobody, see foundBy
			default:
				e.Owner = owner
			}
			entries, fields = append(entries, e), append(fields, p.origin.fields[i])
		}
	}
	var losers []match.Conflict
	s.index, losers = mustBuild(entries)
	s.refused, _ = mustBuild(refused)
	s.namespaceIndex = make(map[string]*match.Index, len(byNamespace))
	for ns, own := range byNamespace {
		s.namespaceIndex[ns], _ = mustBuild(own)
	}
	for _, l := range losers {
		loser, winner := s.policies[entries[l.Loser].Owner], s.policies[entries[l.Winner].Owner]
		named := ", " + winner.name + ","
		if !options.OneTenant && winner.namespace != loser.namespace {
			named = " of another namespace" // no tenant learns the names of another's objects
		}
		c := of(entries[l.Loser].Owner)
		c.lost++
		c.messages = append(c.messages, fmt.Sprintf("%s: an older policy%s has an equal match", fields[l.Loser], named))
	}
	return out
}

func mustBuild(entries []match.Entry) (*match.Index, []match.Conflict) {
	index, losers, err := match.Build(entries, match.Options{})
	if err != nil {
		panic(err) // routes() checked every entry
	}
	return index, losers
}

// routes makes the entries of a policy. An invalid match makes the policy
// invalid. It still reserves its whole hostname, so that no other policy answers
// there.
func (b *building) routes(routes []v1alpha1.Route) {
	patterns := validate.Patterns(routes)
	tooMany := patterns > validate.MaxPatterns || validate.Entries(routes) > validate.MaxEntries
	if !tooMany {
		b.patterns = patterns
	}
	for i, route := range routes {
		at := fmt.Sprintf("spec.routes[%d]", i)
		matches := []gatewayv1.HTTPRouteMatch{{}} // compiles none of them, and reserves the host
		if !tooMany {
			matches = b.matches(route.Matches, at)
		}
		for h, host := range route.Hostnames {
			if problems := match.Check(match.Entry{Hostname: string(host)}); problems != nil {
				b.unmatchable(fmt.Sprintf("%s.hostnames[%d]", at, h), problems[0].Message)
				continue
			}
			for m := range matches {
				b.entries = append(b.entries, match.Entry{Hostname: string(host), Match: matches[m]})
				b.origin.fields = append(b.origin.fields, fmt.Sprintf("%s.matches[%d] on host %s", at, m, host))
			}
		}
	}
}

func (b *building) matches(list []gatewayv1.HTTPRouteMatch, at string) []gatewayv1.HTTPRouteMatch {
	out := make([]gatewayv1.HTTPRouteMatch, len(list))
	for i, m := range list {
		out[i] = b.match(m, fmt.Sprintf("%s.matches[%d]", at, i))
	}
	return out
}

func (b *building) match(m gatewayv1.HTTPRouteMatch, at string) gatewayv1.HTTPRouteMatch {
	problems := match.Check(match.Entry{Hostname: "*", Match: m})
	for _, p := range problems {
		b.unmatchable(at+strings.TrimPrefix(p.Field, "match"), p.Message)
	}
	if problems != nil {
		return gatewayv1.HTTPRouteMatch{}
	}
	return m
}

func (b *building) unmatchable(path, detail string) {
	told := slices.ContainsFunc(b.origin.problems, func(o authz.Problem) bool { return o.Field == path })
	if b.invalid = true; !told { // Validate may have said it already
		b.reject(path, detail)
	}
}
